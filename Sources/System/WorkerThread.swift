import Glibc
import SystemPackage

/// Why a thread can't be started.
package struct ThreadError: Error, CustomStringConvertible {
    /// The system's reason.
    package let errno: Errno

    /// One line.
    package var description: String { "start a thread: \(errno)" }
}

/// A thread of the system (pthreads(7)).
package struct WorkerThread: Sendable {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let thread: pthread_t

    /// Starts a thread, with the signal mask of the one that starts it.
    ///
    /// - Throws: ``ThreadError`` when the system has no room for one more (EAGAIN).
    package init(_ run: @escaping @Sendable () -> Void) throws(ThreadError) {
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
            throw ThreadError(errno: Errno(rawValue: status))
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
