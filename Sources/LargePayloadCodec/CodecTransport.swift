#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// An HTTP request to the service, as the codec hands it to the transport and the hook.
public struct CodecRequest: Sendable {
    /// The HTTP method: `HEAD`, `GET` or `PUT`.
    public var method: String
    /// The absolute URL, percent-encoded.
    public var url: String
    /// The header fields. A name can occur several times. The transport adds `Content-Length` and `Host`.
    public var headers: [(name: String, value: String)]
    /// The body of an upload; `nil` for `HEAD` and `GET`.
    public var body: Data?
    /// The maximum number of bytes to read of the answer's body.
    public var maximumResponseSize: Int

    /// Creates a request, for a test of your own transport. The codec creates its requests itself.
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

/// The service's answer to a ``CodecRequest``, whatever its status.
public struct CodecResponse: Sendable {
    /// The HTTP status code, for example 200.
    public var status: Int
    /// The header fields. Names are compared without regard to case.
    public var headers: [(name: String, value: String)]
    /// The body, up to ``CodecRequest/maximumResponseSize`` bytes.
    public var body: Data
    /// Whether the answer's body is longer than ``body``.
    public var isTruncated: Bool

    /// Creates an answer, for a transport of your own.
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

    /// The value of the first field with a name, given in lowercase.
    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name }?.value
    }
}

/// Sends the codec's requests to the service.
///
/// A transport only sends: the codec retries, limits the time and checks the answer. The default is
/// ``HTTPClientTransport``.
public protocol CodecTransport: Sendable {
    /// Sends a request once and returns the answer, whatever its status.
    ///
    /// An implementation must stop reading after ``CodecRequest/maximumResponseSize`` bytes of the body. It must return
    /// soon after its task is cancelled: the codec does not wait for it, so it would exceed the limit of concurrent
    /// requests.
    ///
    /// - Parameters:
    ///   - request: The request to send.
    ///   - timeout: The maximum time from connecting to the last byte of the answer. The codec cancels the task then.
    /// - Returns: The answer.
    /// - Throws: ``CodecTransportError`` if no answer came and a retry cannot help. Any other error means that no
    ///   answer came and the codec should retry.
    func send(_ request: CodecRequest, timeout: Duration) async throws -> CodecResponse
}

/// No answer came, and a retry cannot help, for example because the server's certificate is not trusted.
public struct CodecTransportError: Error {
    /// The underlying error, which becomes ``LargePayloadCodecError/cause``.
    public let cause: any Error
    /// What is wrong, on one line; becomes ``LargePayloadCodecError/message``.
    public let message: String

    /// Marks an error as permanent, so that the codec does not retry.
    ///
    /// - Parameters:
    ///   - cause: The underlying error.
    ///   - message: What is wrong, on one line. The default is a description of the error.
    public init(_ cause: any Error, message: String? = nil) {
        self.cause = cause
        self.message = message ?? "\(cause)"
    }
}

/// A hook throws this to ask for another attempt, for example after it has renewed a token.
///
/// The codec sends the request again, through the hook, after the delay of its ``LargePayloadCodec/RetryPolicy`` and
/// within its time limit.
public struct CodecRetryError: Error {
    /// Why another attempt is necessary. It becomes ``LargePayloadCodecError/cause`` if there is no time for one.
    public let cause: any Error

    /// Asks for another attempt because of an error.
    public init(_ cause: any Error) {
        self.cause = cause
    }
}
