/// The reason why a payload was not encoded or decoded, or why a codec could not be created.
public struct LargePayloadCodecError: Error, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: Sendable, Equatable {
        /// The service did not answer. ``cause`` is the transport's error.
        case noAnswer
        /// The service answered with an error; see ``status`` and ``message``.
        case refused
        /// The service's answer does not conform to its API.
        case invalidAnswer
        /// The downloaded payload's length or digest differs from the reference.
        case contentMismatch
        /// A payload is marked as a reference, but is malformed or has an unsupported version.
        case invalidReference
    }

    /// The operation that failed.
    public enum Operation: String, Sendable {
        /// The check of the service when a codec is created.
        case healthCheck = "health check"
        /// The upload of a payload, by `encode`.
        case upload
        /// The download of a payload, by `decode`.
        case download
    }

    /// The kind of failure, for code that handles some kinds differently.
    public let code: Code
    /// The operation that failed.
    public let operation: Operation
    /// The HTTP status of the service's answer; `nil` if no answer came or no request was sent.
    public let status: Int?
    /// The payload's key; `nil` for uploads, health checks and invalid references.
    public let key: String?
    /// The service's message as one line, or a description of the problem.
    public let message: String
    /// The underlying error, for example the transport's.
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

    /// Operation, status, message and key on one line.
    public var description: String {
        let status = status.map { " with status \($0)" } ?? ""
        let key = key.map { " (key \($0))" } ?? ""
        return "large payload codec: \(operation.rawValue) failed\(status): \(message)\(key)"
    }
}
