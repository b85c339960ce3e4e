/// Why a command failed, in one line.
struct CommandError: Error, CustomStringConvertible {
    let description: String
    /// The error that ``naming(_:_:)`` caught.
    private(set) var cause: (any Error)?

    init(_ description: String) { self.description = description }

    /// Runs `work`, and puts `action` before the description of its error.
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
