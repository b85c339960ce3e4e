import CFastCGI
import Logging
import System
import SystemPackage

/// Threads that each take one request after the other from the listening sockets.
///
/// Threads of our own, not Swift's cooperative ones: everything that a request does blocks.
public final class WorkerPool: Sendable {
    private let acceptor: Acceptor
    private let threads: Int
    private let lingeringTime: Int
    private let logger: Logger
    private let hooks: Hooks
    private let handler: @Sendable (_ request: Request, _ thread: Int) -> Void

    /// What is called on a pool's thread beside its handler; threads have the numbers from 0.
    public struct Hooks: Sendable {
        /// The thread has a connection, of which nothing is read yet.
        public var accepted: @Sendable (_ thread: Int) -> Void
        /// The connection is closed; the thread waits for the next one.
        public var closed: @Sendable (_ thread: Int) -> Void

        /// Makes hooks; without arguments, those that do nothing.
        public init(
            accepted: @escaping @Sendable (_ thread: Int) -> Void = { _ in },
            closed: @escaping @Sendable (_ thread: Int) -> Void = { _ in }
        ) {
            self.accepted = accepted
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
    ///   - hooks: called as connections come and go.
    ///   - handler: answers a request, on the thread of that number; several run at once.
    /// - Throws: ``FastCGIError`` when libfcgi or the system refuses.
    public init(
        listeners: [Listener],
        threads: Int,
        lingeringTime: Int = Request.lingeringTime,
        logger: Logger,
        hooks: Hooks = Hooks(),
        handler: @escaping @Sendable (_ request: Request, _ thread: Int) -> Void
    ) throws {
        // Installs handlers for SIGPIPE, SIGUSR1 and SIGTERM where the program has none (os_unix.c).
        let status = FCGX_Init()
        guard status == 0 else { throw FastCGIError("initialise libfcgi: code \(status)") }
        acceptor = try Acceptor(listeners: listeners, logger: logger)
        self.threads = threads
        self.lingeringTime = lingeringTime
        self.logger = logger
        self.hooks = hooks
        self.handler = handler
    }

    /// Serves until ``stop()`` is called and every request under way is answered.
    ///
    /// - Parameter started: called when all threads run.
    /// - Throws: ``FastCGIError`` when a thread can't be started; the others are stopped then.
    public func run(started: () -> Void) throws {
        var running: [WorkerThread] = []
        do {
            for thread in 0..<threads {
                let waiter = try acceptor.makeWaiter()
                running.append(try WorkerThread { self.serve(waiter, thread) })
            }
        } catch {
            stop()
            running.forEach { $0.join() }
            throw error
        }
        started()
        running.forEach { $0.join() }
    }

    /// Accepts no more, and lets ``run(started:)`` return when what is under way is done. May be called from any
    /// thread.
    ///
    /// - Parameter keepsSockets: whether someone goes on to serve this process's own unix sockets, so that clients may
    ///   still connect.
    public func stop(keepsSockets: Bool = false) {
        acceptor.stop(keepsSockets: keepsSockets)
    }

    private func serve(_ waiter: Acceptor.Waiter, _ thread: Int) {
        while let connection = acceptor.next(waiter) { serve(connection, thread) }
        acceptor.drain { serve($0, thread) }
    }

    private func serve(_ connection: Int32, _ thread: Int) {
        hooks.accepted(thread)
        defer { hooks.closed(thread) }
        do {
            let request = try Request(connection: connection, lingeringTime: lingeringTime)
            handler(request, thread)
            request.finish()
        } catch {
            logger.notice("a connection brought no FastCGI request", metadata: ["error": "\(error)"])
        }
    }
}
