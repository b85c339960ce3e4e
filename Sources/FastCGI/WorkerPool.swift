import CFastCGI
import Logging
import System

/// Threads that each take one request after the other from the listening sockets.
///
/// Threads of our own, not Swift's cooperative ones: everything that a request does blocks.
public final class WorkerPool: Sendable {
    private let acceptor: Acceptor
    private let threads: Int
    private let lingeringTime: Int
    private let logger: Logger

    /// What a pool's threads call; they have the numbers from 0, and call at the same time.
    public struct Handler: Sendable {
        fileprivate let accepted: @Sendable (_ thread: Int) -> Void
        fileprivate let answer: @Sendable (_ request: Request, _ thread: Int) -> Void
        fileprivate let closed: @Sendable (_ thread: Int) -> Void

        /// - Parameters:
        ///   - accepted: The thread has a connection, of which nothing is read yet.
        ///   - closed: The connection is closed; the thread waits for the next one.
        ///   - answer: Answers a request.
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

    /// Makes a pool that does not run yet.
    ///
    /// - Parameters:
    ///   - listeners: the sockets to serve.
    ///   - threads: how many requests to serve at once.
    ///   - lingeringTime: how long a thread goes on to read the body of a request that is answered, in seconds.
    ///   - logger: where failures that no request is told of are logged.
    /// - Throws: ``FastCGIError`` when libfcgi or the system refuses.
    public init(listeners: [Listener], threads: Int, lingeringTime: Int = Request.lingeringTime, logger: Logger) throws
    {
        // Installs handlers for SIGPIPE, SIGUSR1 and SIGTERM where the program has none (os_unix.c).
        let status = FCGX_Init()
        guard status == 0 else { throw FastCGIError("initialise libfcgi: code \(status)") }
        acceptor = try Acceptor(listeners: listeners, logger: logger)
        self.threads = threads
        self.lingeringTime = lingeringTime
        self.logger = logger
    }

    /// Serves until ``stop()`` is called and every request under way is answered.
    ///
    /// - Parameter started: called when all threads run.
    /// - Throws: an error when a thread can't be started; the others are stopped then.
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

    /// Accepts no more, and lets ``run(_:started:)`` return when what is under way is done. May be called from any thread.
    public func stop() {
        acceptor.stop()
    }

    private func serve(_ waiter: OwnedDescriptor, _ handler: Handler, _ thread: Int) {
        while let connection = acceptor.next(waiter) { serve(connection, handler, thread) }
        acceptor.drain { serve($0, handler, thread) }
    }

    private func serve(_ connection: Int32, _ handler: Handler, _ thread: Int) {
        handler.accepted(thread)
        defer { handler.closed(thread) }
        do {
            let request = try Request(connection: connection, lingeringTime: lingeringTime)
            handler.answer(request, thread)
            request.finish()
        } catch {
            logger.notice("connection without a FastCGI request", metadata: ["error": "\(error)"])
        }
    }
}
