import CLinux
import Glibc
import Logging
import Synchronization
import System
import SystemPackage

/// Accepts the connections of several listening sockets, each for one of several threads, until ``stop()``.
///
/// libfcgi's accept is not suitable: neither SIGTERM nor `FCGX_ShutdownPending` wakes blocked threads, and shutdown(2)
/// would close the socket for every process that shares it. So each thread waits in its own epoll(7) set for a connection or
/// an eventfd(2). `EPOLLEXCLUSIVE` makes the kernel wake one set per connection; threads that shared a set would wake each
/// other until one of them accepts the connection.
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

    /// Makes a thread's epoll set.
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

    /// Makes all current and later calls of ``next(_:)`` return `nil`. First removes the files of this process's own unix
    /// sockets, so that no client connects too late, and a new process can bind the same path at once.
    func stop() {
        listeners.forEach { $0.removeSocketFile() }
        isStopping.store(true, ordering: .sequentiallyConsistent)
        // Nobody reads the event, so it stays ready and wakes every thread.
        eventfd_write(stopEvent.number, 1)
    }

    /// Accepts a connection, and waits for one only if there is none: a busy thread does not sleep.
    ///
    /// - Parameters:
    ///   - waiter: the thread's epoll set.
    ///   - turn: the index of the listener that the thread asked last; it asks the next one first.
    /// - Returns: `nil` after ``stop()``.
    func next(_ waiter: OwnedDescriptor, turn: inout Int) -> Connection? {
        var isReady = false
        while !isStopping.load(ordering: .sequentiallyConsistent) {
            for _ in listeners {
                turn = (turn + 1) % listeners.count
                if let connection = accept(listeners[turn], isReady: isReady) { return connection }
            }
            var event = epoll_event()
            isReady = epoll_wait(waiter.number, &event, 1, -1) == 1 && event.data.fd != stopEvent.number
        }
        return nil
    }

    /// Serves the remaining connections of a thread after ``stop()``.
    ///
    /// Empties the queues of unix sockets that this process made: their files are gone, so no connection can be added. From
    /// every other socket, accepts one more connection if there is one: the kernel may have woken only this thread for it.
    func drain(_ serve: (Connection) -> Void) {
        for listener in listeners {
            while let connection = accept(listener, isReady: true) {
                serve(connection)
                if !listener.hasFinalQueue { break }
            }
        }
    }

    /// - Parameter isReady: whether a connection is waiting, unless another thread is faster.
    private func accept(_ listener: Listener, isReady: Bool) -> Connection? {
        let descriptor = accept_closed_on_exec(listener.descriptor)
        guard descriptor < 0 else { return Connection(descriptor: descriptor, isUnixSocket: listener.isUnixSocket) }
        let error = Errno(rawValue: errno)
        // No connection is waiting, another thread was faster, or the web server disconnected.
        if !isReady || [.wouldBlock, .interrupted, .connectionAbort].contains(error) { return nil }
        // Out of descriptors or memory. Pause until other threads free some, instead of spinning.
        logger.error("cannot accept a connection", metadata: ["error": "\(error)"])
        usleep(100_000)
        return nil
    }
}

/// A connection of the web server.
struct Connection {
    /// The connected socket, which the owner of the connection closes.
    let descriptor: Int32
    let isUnixSocket: Bool
}
