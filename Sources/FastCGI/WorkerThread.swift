import Glibc
import SystemPackage

/// A thread of the system (pthreads(7)).
public struct WorkerThread: Sendable {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let thread: pthread_t

    /// Starts a thread, with the signal mask of the one that starts it.
    ///
    /// - Throws: ``FastCGIError`` when the system has no room for one more (EAGAIN).
    public init(_ run: @escaping @Sendable () -> Void) throws(FastCGIError) {
        let body = Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let status = pthread_create(
            &thread,
            nil,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            },
            body.toOpaque()
        )
        guard status == 0 else {
            body.release()
            throw FastCGIError("start a thread", errno: Errno(rawValue: status))
        }
        self.thread = thread
    }

    /// Sends the thread a signal (pthread_kill(3)). It must not have been joined.
    public func signal(_ number: Int32) {
        pthread_kill(thread, number)
    }

    /// Has the system forget the thread when it ends, for one that is neither joined nor sent signals.
    public func detach() {
        pthread_detach(thread)
    }

    /// Waits until the thread has ended.
    public func join() {
        pthread_join(thread, nil)
    }
}
