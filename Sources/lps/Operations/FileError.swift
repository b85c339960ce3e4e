import SystemPackage

/// What failed with a file that is not the store's.
struct FileError: Error, CustomStringConvertible {
    let description: String
    /// Whether the file is not there.
    let isMissing: Bool

    init(_ action: String, _ error: any Error) {
        description = "\(action): \(error)"
        isMissing = error as? Errno == .noSuchFileOrDirectory
    }

    /// Names what is being done to which file in what is thrown.
    static func naming<Value>(_ action: @autoclosure () -> String, _ work: () throws -> Value) throws -> Value {
        do { return try work() } catch { throw FileError(action(), error) }
    }
}
