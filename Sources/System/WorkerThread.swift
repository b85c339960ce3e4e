import Glibc
import SystemPackage

/// A POSIX thread (pthreads(7)).
package struct WorkerThread: Sendable {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let thread: pthread_t

    /// Starts a thread with the signal mask of the calling thread.
    ///
    /// - Throws: ``SystemCallError`` if the system has no resources for another thread (EAGAIN).
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

    /// Lets the system release the thread when it ends, for threads that nobody joins.
    package func detach() {
        pthread_detach(thread)
    }

    /// Waits until the thread ends.
    package func join() {
        pthread_join(thread, nil)
    }
}
