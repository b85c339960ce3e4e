import HTTP
import PayloadKey
import PayloadService

/// The next codec server, over HTTP. Uses no proxy, so that credentials reach only the configured server.
final class NextCodecServer: NextCodec {
    private let location: CodecServerURL
    private let connections = HTTPConnections()

    init(_ location: CodecServerURL) { self.location = location }

    var url: String { location.text }
    var needsNamespace: Bool { location.needsNamespace }

    func send(
        _ request: NextCodecRequest,
        onPiece: () throws -> Void,
        _ take: (_ status: Int, UnsafeRawBufferPointer) throws -> Bool
    ) throws -> Int {
        let message = HTTPRequest(
            method: "POST",
            url: location.url(of: request.operation.rawValue, in: request.namespace),
            headers: [("Content-Type", "application/json")] + request.headers,
            body: .file(request.body.fileDescriptor, size: request.body.size),
            usesProxies: false
        )
        do {
            let head = try connections.perform(message, limits(until: request.deadline), onPiece: onPiece) {
                head,
                piece in
                try onPiece()
                return try take(head.status, piece) ? .goOn : .enough
            }
            return head.status
        } catch let error as TransportError {
            // A server can refuse a request before it has read the whole body.
            if error.head.isComplete, (400...499).contains(error.head.status) { return error.head.status }
            throw NextCodecError("\(error)")
        }
    }

    private func limits(until deadline: ContinuousClock.Instant?) -> RequestLimits {
        var limits = RequestLimits(stallTime: .seconds(30))
        // libcurl takes 0 ms as no limit.
        limits.total = deadline.map { max(ContinuousClock.now.duration(to: $0), .milliseconds(1)) }
        return limits
    }
}
