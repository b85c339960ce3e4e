/// Why a command can't do what it was asked for, in one line.
struct CommandError: Error, CustomStringConvertible {
    let description: String
    /// What it comes from.
    private(set) var cause: (any Error)?

    init(_ description: String) { self.description = description }

    /// Names what is being done, and to which file, in what is thrown.
    static func naming<Value>(_ action: @autoclosure () -> String, _ work: () throws -> Value) throws -> Value {
        do {
            return try work()
        } catch {
            var named = CommandError("\(action()): \(error)")
            named.cause = error
            throw named
        }
    }
}
