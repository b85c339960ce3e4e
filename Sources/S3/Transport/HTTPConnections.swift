import Synchronization

/// Makes requests, for many threads at once, on connections that are kept for the next ones.
final class HTTPConnections: Sendable {
    private let idle = Mutex<[HTTPHandle]>([])

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - onPiece: called before each piece of the request's body.
    ///   - receive: takes each piece of the answer's body.
    /// - Returns: the head of the answer.
    /// - Throws: what a closure threw, unchanged, or `TransportError`.
    func perform(
        _ request: HTTPRequest,
        _ limits: S3Limits,
        onPiece: () throws -> Void = {},
        _ receive: (AnswerHead, UnsafeRawBufferPointer) throws -> Exchange.Reception
    ) throws -> AnswerHead {
        // The last one that was given back: its connection is the least likely to have ended.
        let handle = try idle.withLock { $0.popLast() } ?? HTTPHandle()
        defer { idle.withLock { $0.append(handle) } }
        return try withoutActuallyEscaping(onPiece) { onPiece in
            try withoutActuallyEscaping(receive) { receive in
                let exchange = Exchange(body: request.body, onPiece: onPiece, receive: receive)
                try handle.perform(request, limits, exchange)
                return exchange.head
            }
        }
    }
}
