import CFastCGI
import Logging
import SystemPackage

/// Threads that each take one request after the other from the listening sockets.
///
/// Threads of our own, not Swift's cooperative ones: everything that a request does blocks.
public final class WorkerPool: Sendable {
    private let acceptor: Acceptor
    private let threads: Int
    private let logger: Logger
    private let handler: @Sendable (Request) -> Void

    /// Makes a pool that does not run yet.
    ///
    /// - Parameters:
    ///   - listeners: the sockets to serve.
    ///   - threads: how many requests to serve at once.
    ///   - logger: where failures that no request is told of are logged.
    ///   - handler: answers a request, on one of the threads; several run at once.
    /// - Throws: ``FastCGIError`` when libfcgi or the system refuses.
    public init(
        listeners: [Listener],
        threads: Int,
        logger: Logger,
        handler: @escaping @Sendable (Request) -> Void
    ) throws(FastCGIError) {
        // Installs handlers for SIGPIPE, SIGUSR1 and SIGTERM where the program has none (os_unix.c).
        let status = FCGX_Init()
        guard status == 0 else { throw FastCGIError("initialise libfcgi: code \(status)") }
        acceptor = try Acceptor(listeners: listeners, logger: logger)
        self.threads = threads
        self.logger = logger
        self.handler = handler
    }

    /// Serves until ``stop()`` is called and every request under way is answered.
    ///
    /// - Parameter started: called when all threads run.
    /// - Throws: ``FastCGIError`` when a thread can't be started; the others are stopped then.
    public func run(started: () -> Void) throws(FastCGIError) {
        var running: [WorkerThread] = []
        do {
            for _ in 0..<threads {
                let waiter = try acceptor.makeWaiter()
                running.append(try WorkerThread { self.serve(waiter) })
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
    public func stop() {
        acceptor.stop()
    }

    private func serve(_ waiter: Acceptor.Waiter) {
        while let connection = acceptor.next(waiter) { serve(connection) }
        acceptor.drain { serve($0) }
    }

    private func serve(_ connection: Int32) {
        do {
            let request = try Request(connection: connection)
            handler(request)
            request.finish()
        } catch {
            logger.notice("a connection brought no FastCGI request", metadata: ["error": "\(error)"])
        }
    }
}
