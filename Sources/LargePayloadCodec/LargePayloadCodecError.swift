/// Why a payload was not encoded or decoded.
public struct LargePayloadCodecError: Error, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    public enum Code: Sendable, Equatable {
        /// The service did not answer; ``cause`` is the transport's error.
        case noAnswer
        /// The service answered with a status that says that it did not do what was asked.
        case refused
        /// The service's answer is not what the API describes.
        case invalidAnswer
        /// What was downloaded is not what the reference says: another length or digest.
        case contentMismatch
        /// A payload says that it is a reference, and is none that can be followed.
        case invalidReference
    }

    /// What was being done.
    public enum Operation: String, Sendable {
        case healthCheck = "health check"
        case upload
        case download
    }

    /// What kind of failure it is.
    public let code: Code
    /// What was being done.
    public let operation: Operation
    /// The status of the service's answer, where there was one.
    public let status: Int?
    /// The key of the payload, where it is known.
    public let key: String?
    /// The service's message, or what is wrong with its answer.
    public let message: String
    /// The error behind this one, where there is one.
    public let cause: (any Error)?

    init(
        _ code: Code,
        _ operation: Operation,
        _ message: String,
        status: Int? = nil,
        key: String? = nil,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.operation = operation
        self.message = message
        self.status = status
        self.key = key
        self.cause = cause
    }

    /// One line.
    public var description: String {
        let status = status.map { " with status \($0)" } ?? ""
        let key = key.map { " (key \($0))" } ?? ""
        return "large payload codec: \(operation.rawValue) failed\(status): \(message)\(key)"
    }
}
