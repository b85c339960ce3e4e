import Glibc
import SystemPackage

/// A thread of the system (pthreads(7)).
package struct WorkerThread: Sendable {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let thread: pthread_t

    /// Starts a thread, with the signal mask of the one that starts it.
    ///
    /// - Throws: ``SystemCallError`` when the system has no room for one more (EAGAIN).
    package init(_ run: @escaping @Sendable () -> Void) throws(SystemCallError) {
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
            throw SystemCallError("start a thread", Errno(rawValue: status))
        }
        self.thread = thread
    }

    /// Has the system forget the thread when it ends, for one that is not joined.
    package func detach() {
        pthread_detach(thread)
    }

    /// Waits until the thread has ended.
    package func join() {
        pthread_join(thread, nil)
    }
}
