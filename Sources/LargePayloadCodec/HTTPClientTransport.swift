import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// Sends requests with async-http-client, which keeps connections and speaks TLS and HTTP/2.
public struct HTTPClientTransport: CodecTransport {
    /// One client for all codecs of the process; it needs no shutdown.
    private static let shared = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)

    /// How a client of the service is best configured.
    ///
    /// It does not try to connect again by itself, which it would do until the request's time is up: the codec does, and
    /// knows when to stop. It does not follow redirects: a payload goes where it was told to go, or nowhere.
    public static var configuration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .seconds(10)
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    private let client: HTTPClient

    /// Sends requests with a client that all codecs of the process share.
    public init() {
        client = Self.shared
    }

    /// Sends requests with a client of the caller's, with its own trust and timeouts, say.
    ///
    /// - Parameter client: stays the caller's to shut down. ``configuration`` is a start for its configuration.
    public init(_ client: HTTPClient) {
        self.client = client
    }

    /// Sends a request, once, and reads its answer.
    ///
    /// - Throws: async-http-client's error, which may say that a request is cancelled when its connection was closed, or
    ///   ``CodecTransportError`` around it.
    public func send(_ request: CodecRequest, timeout: Duration) async throws -> CodecResponse {
        do {
            return try await answer(to: request, timeout)
        } catch  where Self.isPermanent(error) {
            throw CodecTransportError(error)
        }
    }

    private static func isPermanent(_ error: any Error) -> Bool {
        if let error = error as? HTTPClientError {
            return [.invalidURL, .emptyHost, .alreadyShutdown].contains(error)
        }
        // A handshake also fails when a server stops in the middle of it; only BoringSSL's text tells them apart.
        return "\(error)".contains("CERTIFICATE_VERIFY_FAILED")
    }

    private func answer(to request: CodecRequest, _ timeout: Duration) async throws -> CodecResponse {
        let response = try await client.execute(HTTPClientRequest(request), deadline: .now() + TimeAmount(timeout))
        var body = Data()
        var isTruncated = false
        for try await piece in response.body {
            let room = request.maximumResponseSize - body.count
            isTruncated = piece.readableBytes > room
            body.append(contentsOf: piece.readableBytesView.prefix(room))
            // Leaving the loop ends the request.
            if isTruncated { break }
        }
        // A body that ends with the task's cancellation is not whole.
        try Task.checkCancellation()
        return CodecResponse(
            status: Int(response.status.code),
            headers: response.headers.map { ($0.name, $0.value) },
            body: body,
            isTruncated: isTruncated
        )
    }
}

extension HTTPClientRequest {
    fileprivate init(_ request: CodecRequest) {
        self.init(url: request.url)
        method = HTTPMethod(rawValue: request.method)
        headers = HTTPHeaders(request.headers.map { ($0.name, $0.value) })
        // A socket's path is no host's name, and web servers refuse it.
        if request.url.lowercased().hasPrefix("http+unix:") || request.url.lowercased().hasPrefix("https+unix:") {
            headers.add(name: "Host", value: "localhost")
        }
        body = request.body.map { .bytes($0, length: .known(Int64($0.count))) }
    }
}
