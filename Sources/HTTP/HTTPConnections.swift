import Synchronization

/// Sends requests from many threads, and keeps connections for later requests.
package final class HTTPConnections: Sendable {
    private let idle = Mutex<[HTTPHandle]>([])

    package init() {}

    /// Sends a request, and waits for the whole answer.
    ///
    /// - Parameters:
    ///   - onPiece: called before each piece of the request's body.
    ///   - receive: receives each piece of the answer's body.
    /// - Returns: the head of the answer.
    /// - Throws: the error of a closure, unchanged, or `TransportError`.
    package func perform(
        _ request: HTTPRequest,
        _ limits: RequestLimits,
        onPiece: () throws -> Void = {},
        _ receive: (AnswerHead, UnsafeRawBufferPointer) throws -> Exchange.Reception
    ) throws -> AnswerHead {
        // Reuses the handle returned last: its connection is the least likely to have ended.
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
