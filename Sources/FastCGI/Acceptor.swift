import CLinux
import Glibc
import Logging
import Synchronization
import System
import SystemPackage

/// Gives each connection of a set of listening sockets to one thread, until it is told to stop.
///
/// libfcgi's own accept can't serve here: blocked threads wake neither on SIGTERM nor on `FCGX_ShutdownPending`, and
/// shutdown(2) would close the socket for every process that shares it. So each thread waits in an epoll(7) set of its
/// own for a connection or an eventfd(2). `EPOLLEXCLUSIVE` has the kernel wake one of the sets for a
/// connection; threads that shared one set would all be woken, one by the other, until a connection is accepted.
final class Acceptor: Sendable {
    private let listeners: [Listener]
    private let stopEvent: OwnedDescriptor
    private let isStopping = Atomic(false)
    private let logger: Logger

    init(listeners: [Listener], logger: Logger) throws {
        self.listeners = listeners
        self.logger = logger
        stopEvent = try OwnedDescriptor("create an eventfd") { eventfd(0, Int32(EFD_CLOEXEC)) }
    }

    /// Makes the epoll set that a thread is to wait in.
    func makeWaiter() throws -> OwnedDescriptor {
        let waiter = try OwnedDescriptor("create an epoll set") { epoll_create1(Int32(EPOLL_CLOEXEC)) }
        func watch(_ descriptor: Int32, _ events: UInt32) throws {
            var event = epoll_event(events: events, data: epoll_data_t(fd: descriptor))
            try systemCall("watch descriptor \(descriptor)") {
                epoll_ctl(waiter.number, EPOLL_CTL_ADD, descriptor, &event)
            }
        }
        try watch(stopEvent.number, EPOLLIN.rawValue)
        for listener in listeners { try watch(listener.descriptor, EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue) }
        return waiter
    }

    /// Lets every ``next(_:)`` that waits return `nil`, and every later one. Unix sockets of this process's own lose
    /// their names first, so that no client comes too late, and a new process can bind the same path at once.
    func stop() {
        listeners.forEach { $0.removeSocketFile() }
        isStopping.store(true, ordering: .sequentiallyConsistent)
        // The event is never read: it stays ready, and wakes every thread.
        eventfd_write(stopEvent.number, 1)
    }

    /// Waits for a connection and accepts it.
    ///
    /// - Returns: the connected socket, which the caller closes; `nil` after ``stop()``.
    func next(_ waiter: OwnedDescriptor) -> Int32? {
        while !isStopping.load(ordering: .sequentiallyConsistent) {
            var event = epoll_event()
            guard epoll_wait(waiter.number, &event, 1, -1) == 1, event.data.fd != stopEvent.number else { continue }
            if let connection = accept(event.data.fd) { return connection }
        }
        return nil
    }

    /// Takes what a thread still has to serve after ``stop()``, before it ends.
    ///
    /// A unix socket that only this process serves is emptied: its name is gone, so its queue can't grow. Of every
    /// other socket one more connection is taken, if there is one: the kernel may have woken this thread for it, and no
    /// other.
    func drain(_ serve: (_ connection: Int32) -> Void) {
        for listener in listeners {
            while let connection = accept(listener.descriptor) {
                serve(connection)
                if !listener.hasFinalQueue { break }
            }
        }
    }

    private func accept(_ listener: Int32) -> Int32? {
        let connection = accept_closed_on_exec(listener)
        guard connection < 0 else { return connection }
        let error = Errno(rawValue: errno)
        // Another thread was faster, or the web server has gone.
        if [.wouldBlock, .interrupted, .connectionAbort].contains(error) { return nil }
        // Out of descriptors or memory: others may free some. Without a pause this would spin.
        logger.error("cannot accept a connection", metadata: ["error": "\(error)"])
        usleep(100_000)
        return nil
    }
}
