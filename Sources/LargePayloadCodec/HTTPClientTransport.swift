import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// Sends requests with async-http-client, which keeps connections and speaks TLS and HTTP/2.
public struct HTTPClientTransport: CodecTransport {
    private let client: HTTPClient

    /// - Parameter client: the client, which stays the caller's to shut down.
    public init(_ client: HTTPClient = .shared) {
        self.client = client
    }

    public func send(_ request: CodecRequest, timeout: Duration) async throws -> CodecResponse {
        do {
            let response = try await client.execute(
                HTTPClientRequest(request),
                deadline: .now() + TimeAmount(timeout)
            )
            var body = Data()
            var isTruncated = false
            for try await piece in response.body {
                let room = request.maximumResponseSize - body.count
                isTruncated = piece.readableBytes > room
                body.append(contentsOf: piece.readableBytesView.prefix(room))
                // Leaving the loop ends the request.
                if isTruncated { break }
            }
            return CodecResponse(
                status: Int(response.status.code),
                headers: response.headers.map { ($0.name, $0.value) },
                body: body,
                isTruncated: isTruncated
            )
        } catch let error as HTTPClientError where error == .cancelled {
            throw CancellationError()
        }
    }
}

extension HTTPClientRequest {
    fileprivate init(_ request: CodecRequest) {
        self.init(url: request.url)
        method = HTTPMethod(rawValue: request.method)
        headers = HTTPHeaders(request.headers.map { ($0.name, $0.value) })
        body = request.body.map { .bytes($0, length: .known(Int64($0.count))) }
    }
}
