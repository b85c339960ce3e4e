import CFastCGI
import Logging
import System

/// Threads that each serve one connection at a time from the listening sockets.
///
/// They are not Swift's cooperative threads, because all of a request's work blocks.
public final class WorkerPool: Sendable {
    private let acceptor: Acceptor
    private let threads: Int
    private let lingeringTime: Int
    private let logger: Logger

    /// The functions that a pool's threads call concurrently, with the thread's number, from 0.
    public struct Handler: Sendable {
        fileprivate let accepted: @Sendable (_ thread: Int) -> Void
        fileprivate let answer: @Sendable (_ request: Request, _ thread: Int) -> Void
        fileprivate let closed: @Sendable (_ thread: Int) -> Void

        /// - Parameters:
        ///   - accepted: called when the thread has accepted a connection, before it reads.
        ///   - closed: called when the connection is closed, before the thread waits for the next one.
        ///   - answer: answers a request.
        public init(
            accepted: @escaping @Sendable (_ thread: Int) -> Void = { _ in },
            closed: @escaping @Sendable (_ thread: Int) -> Void = { _ in },
            answer: @escaping @Sendable (_ request: Request, _ thread: Int) -> Void
        ) {
            self.accepted = accepted
            self.answer = answer
            self.closed = closed
        }
    }

    /// Makes a pool; ``run(_:started:)`` starts it.
    ///
    /// - Parameters:
    ///   - listeners: the sockets to serve.
    ///   - threads: the number of requests to serve at once.
    ///   - lingeringTime: how long a thread continues to read the body of an answered request, in seconds.
    ///   - logger: logs failures of connections that bring no request.
    /// - Throws: ``FastCGIError`` or `SystemCallError` if libfcgi or the system fails.
    public init(listeners: [Listener], threads: Int, lingeringTime: Int = Request.lingeringTime, logger: Logger) throws
    {
        // Installs handlers for SIGPIPE, SIGUSR1 and SIGTERM if the program has none (os_unix.c).
        let status = FCGX_Init()
        guard status == 0 else { throw FastCGIError("initialise libfcgi: code \(status)") }
        acceptor = try Acceptor(listeners: listeners, logger: logger)
        self.threads = threads
        self.lingeringTime = lingeringTime
        self.logger = logger
    }

    /// Serves until ``stop()`` is called and all requests in progress are answered.
    ///
    /// - Parameter started: called when all threads are running.
    /// - Throws: an error if a thread can't be started, after stopping the others.
    public func run(_ handler: Handler, started: () -> Void = {}) throws {
        var running: [WorkerThread] = []
        do {
            for thread in 0..<threads {
                let waiter = try acceptor.makeWaiter()
                running.append(try WorkerThread { self.serve(waiter, handler, thread) })
            }
        } catch {
            stop()
            running.forEach { $0.join() }
            throw error
        }
        started()
        running.forEach { $0.join() }
    }

    /// Stops accepting connections; ``run(_:started:)`` returns after the requests in progress. Any thread may call this.
    public func stop() {
        acceptor.stop()
    }

    private func serve(_ waiter: OwnedDescriptor, _ handler: Handler, _ thread: Int) {
        let request = Request(lingeringTime: lingeringTime)
        // Threads begin with different listeners.
        var turn = thread
        while let connection = acceptor.next(waiter, turn: &turn) { serve(connection, request, handler, thread) }
        acceptor.drain { serve($0, request, handler, thread) }
    }

    private func serve(_ connection: Connection, _ request: Request, _ handler: Handler, _ thread: Int) {
        handler.accepted(thread)
        defer { handler.closed(thread) }
        do {
            try request.begin(on: connection)
            handler.answer(request, thread)
            request.finish()
        } catch {
            logger.notice("connection without a FastCGI request", metadata: ["error": "\(error)"])
        }
    }
}
