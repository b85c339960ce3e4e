import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// Sends requests with async-http-client, which reuses connections and supports TLS and HTTP/2.
public struct HTTPClientTransport: CodecTransport {
    /// The client that all codecs of the process share. It uses the singleton event loops and needs no shutdown.
    private static let shared = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)

    /// The recommended configuration for a client of the service.
    ///
    /// The client does not retry failed connections, because the codec does so, within its own time limit. It does not
    /// follow redirects, so that a payload is never sent to a server that was not configured. A connection must be
    /// established within 10 seconds.
    public static var configuration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .seconds(10)
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    private let client: HTTPClient

    /// Creates a transport with the client that all codecs of the process share.
    public init() {
        client = Self.shared
    }

    /// Creates a transport with a client of your own, for example with other trusted certificates or timeouts.
    ///
    /// - Parameter client: The client. The caller shuts it down. Start from ``configuration`` to configure it.
    public init(_ client: HTTPClient) {
        self.client = client
    }

    /// Sends a request once and returns the answer.
    ///
    /// - Throws: The error of async-http-client, which reports some closed connections as `cancelled`. If a retry
    ///   cannot help, ``CodecTransportError`` wraps that error.
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
        // A handshake also fails when a server stops during it. Only BoringSSL's text distinguishes the two.
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
            // Leaving the loop cancels the request.
            if isTruncated { break }
        }
        // A body that ended because the task was cancelled is incomplete.
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
        // Web servers refuse a socket's path as a host name.
        if request.url.lowercased().hasPrefix("http+unix:") || request.url.lowercased().hasPrefix("https+unix:") {
            headers.add(name: "Host", value: "localhost")
        }
        body = request.body.map { .bytes($0, length: .known(Int64($0.count))) }
    }
}
