import FoundationEssentials

/// A request to the service.
public struct CodecRequest: Sendable {
    /// `HEAD`, `GET` or `PUT`.
    public var method: String
    /// The whole URL, percent-encoded.
    public var url: String
    /// Names and values of the header fields; the transport adds `Content-Length` and `Host`.
    public var headers: [(name: String, value: String)]
    /// The body of an upload.
    public var body: Data?
    /// How many bytes of the answer's body are wanted.
    public var maximumResponseSize: Int

    /// Makes a request.
    public init(
        method: String,
        url: String,
        headers: [(name: String, value: String)] = [],
        body: Data? = nil,
        maximumResponseSize: Int
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.maximumResponseSize = maximumResponseSize
    }
}

/// The service's answer to a request.
public struct CodecResponse: Sendable {
    /// The status, three digits.
    public var status: Int
    /// Names and values of the header fields.
    public var headers: [(name: String, value: String)]
    /// The body, as far as it was wanted.
    public var body: Data
    /// Whether the body goes on after what was wanted.
    public var isTruncated: Bool

    /// Makes an answer.
    public init(
        status: Int,
        headers: [(name: String, value: String)] = [],
        body: Data = Data(),
        isTruncated: Bool = false
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.isTruncated = isTruncated
    }
}

/// What sends requests to the service.
public protocol CodecTransport: Sendable {
    /// Sends a request, once, and reads its answer, whatever its status.
    ///
    /// Stops reading where the body is longer than wanted (``CodecRequest/maximumResponseSize``). Must end soon when its
    /// task is cancelled: the codec waits for it.
    ///
    /// - Parameters:
    ///   - request: what to send.
    ///   - timeout: how long it may take, from connecting to the answer's last byte; the task is cancelled then.
    /// - Throws: ``CodecTransportError`` when there is no answer and will be none; any other error when there is none, and
    ///   the request is to be sent again.
    func send(_ request: CodecRequest, timeout: Duration) async throws -> CodecResponse
}

/// There is no answer, and sending the request again will not help: a certificate that is not trusted, say.
public struct CodecTransportError: Error {
    /// The error behind it.
    public let cause: any Error

    /// Makes an error.
    public init(_ cause: any Error) {
        self.cause = cause
    }
}
