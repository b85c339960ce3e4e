/// The reason why a payload was not encoded or decoded, or why a codec could not be created.
public struct LargePayloadCodecError: Error, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: Sendable, Equatable {
        /// No answer came, or the hook asked for another attempt until the time limit. ``cause`` is the error of the
        /// transport or the hook.
        case noAnswer
        /// The service answered with an error; see ``status`` and ``message``.
        case refused
        /// The service's answer does not conform to its API.
        case invalidAnswer
        /// The downloaded payload's length or digest differs from the reference.
        case contentMismatch
        /// A payload is marked as a reference, but is malformed or has an unsupported version.
        case invalidReference
        /// A reference names a payload larger than ``LargePayloadCodec/Options/maximumDownloadSize``.
        case tooLarge
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
    /// The request's ID from the answer's `X-Request-Id`, which is also in the service's logs; `nil` if it has none.
    public let requestID: String?
    /// The payload's key; `nil` for uploads, health checks and malformed references.
    public let key: String?
    /// The service's message as one line, or a description of the problem.
    public let message: String
    /// The underlying error, for example the transport's.
    public let cause: (any Error)?

    init(
        _ code: Code,
        _ operation: Operation,
        _ message: String,
        answer: CodecResponse? = nil,
        key: String? = nil,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.operation = operation
        self.message = message
        status = answer?.status
        requestID = answer?.header("x-request-id")
        self.key = key
        self.cause = cause
    }

    /// Operation, status, message, key and request ID on one line.
    public var description: String { "large payload codec: \(summary)" }

    /// The description without the library's name.
    var summary: String {
        let status = status.map { " with status \($0)" } ?? ""
        let details = [key.map { "key \($0)" }, requestID.map { "request \($0)" }].compactMap(\.self)
        let suffix = details.isEmpty ? "" : " (\(details.joined(separator: ", ")))"
        return "\(operation.rawValue) failed\(status): \(message)\(suffix)"
    }

    /// Whether the failure concerns one payload and waiting does not cure it, as opposed to a failure of the service or
    /// of the connection to it, which would concern every payload.
    var isPermanent: Bool {
        switch code {
        case .noAnswer: false
        case .refused: !Self.transientStatuses.contains(status ?? 0)
        case .invalidAnswer, .contentMismatch, .invalidReference, .tooLarge: true
        }
    }

    /// The service or a proxy is overloaded, unavailable or restarting.
    static let transientStatuses = [429, 502, 503, 504]

    /// The statuses after which a request is sent again.
    ///
    /// An upload is also repeated after 500 and 507: without it a result would be lost, and a disk can have space again
    /// when concurrent uploads end. A download is not, because Temporal repeats the task that needs the payload.
    static func retriedStatuses(_ operation: Operation) -> [Int] {
        transientStatuses + (operation == .upload ? [500, 507] : [])
    }
}
