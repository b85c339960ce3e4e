import Glibc
import System
import SystemPackage

/// A listening socket, in non-blocking mode: if a connection wakes two processes, one of them accepts it, and the other
/// must not block. Processes that share an inherited socket share its mode.
public final class Listener: Sendable {
    /// The number of connections that the kernel queues until a thread is free; it is limited to net.core.somaxconn
    /// (listen(2)). When the queue is full, nginx answers an error at once.
    public static let backlog: Int32 = 4096

    /// Mode and owner of a unix socket's file, which decide who can connect; `nil` keeps the system's value.
    public struct Access: Sendable {
        /// The mode; connecting requires write permission.
        public var mode: mode_t
        /// The owner, by default the process's user.
        public var owner: uid_t?
        /// The group, by default the process's group.
        public var group: gid_t?

        /// Makes access rights. The default mode, 0660, is also the default of PHP-FPM's pools.
        public init(mode: mode_t = 0o660, owner: uid_t? = nil, group: gid_t? = nil) {
            self.mode = mode
            self.owner = owner
            self.group = group
        }
    }

    /// The address or descriptor, for messages.
    public let name: String
    private let socket: OwnedDescriptor
    private let socketFile: SocketFile?
    /// Whether it is a unix socket; otherwise it is a TCP port.
    let isUnixSocket: Bool

    var descriptor: Int32 { socket.number }

    /// Binds an address and listens on it.
    ///
    /// Replaces a unix socket that a dead process has left behind, but none that another process serves.
    ///
    /// - Throws: ``FastCGIError`` or `SystemCallError` that names the address and the failed step.
    public init(binding address: ListenAddress, access: Access = Access()) throws {
        name = address.description
        switch address {
        case .unix(let path):
            socket = try Self.bindUnix(path, access)
            socketFile = SocketFile(path: path)
        case .tcp(let host, let port):
            socket = try Self.bindTCP(host, port, name)
            socketFile = nil
        }
        isUnixSocket = Self.isUnixSocket(socket)
        try systemCall("listen on \(address)") { listen(descriptor, Self.backlog) }
        try prepare()
    }

    init(inherited descriptor: Int32, name: String) throws {
        self.name = name
        socket = OwnedDescriptor(taking: descriptor)
        socketFile = nil
        isUnixSocket = Self.isUnixSocket(socket)
        try prepare()
    }

    /// Whether ``removeSocketFile()`` prevents new connections: only for a unix socket that this process made. An inherited
    /// one may be served by other processes, and a TCP port stays reachable while it is open.
    var hasFinalQueue: Bool { socketFile != nil }

    deinit {
        removeSocketFile()
    }

    /// Removes the file of a unix socket that this listener made, if it still exists. Connected clients stay connected.
    func removeSocketFile() {
        socketFile?.remove()
    }

    /// Checks that a path is short enough for a unix socket.
    ///
    /// - Throws: ``FastCGIError`` that names the path.
    public static func check(path: String) throws { _ = try address(path) }

    private static func address(_ path: String) throws -> UnixAddress {
        guard let address = UnixAddress(path) else {
            let limit = UnixAddress.longestPath
            throw FastCGIError("socket path \(path) has \(path.utf8.count) bytes, the limit is \(limit)")
        }
        return address
    }

    private static func isUnixSocket(_ socket: OwnedDescriptor) -> Bool {
        var family: Int32 = 0
        var size = socklen_t(MemoryLayout.size(ofValue: family))
        return getsockopt(socket.number, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_UNIX
    }

    private func prepare() throws {
        let flags = try systemCall("read flags of \(name)") { fcntl(descriptor, F_GETFL) }
        try systemCall("set flags of \(name)") { fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) }
        try systemCall("set flags of \(name)") { fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }

    private static func open(_ family: Int32, _ protocolNumber: Int32 = 0, for name: String) throws -> OwnedDescriptor {
        try OwnedDescriptor("open a socket for \(name)") {
            Glibc.socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), protocolNumber)
        }
    }

    private static func bindUnix(_ path: String, _ access: Access) throws -> OwnedDescriptor {
        let address = try address(path)
        try removeStaleSocket(path, address)
        let socket = try open(AF_UNIX, for: path)
        // Nobody may connect before mode and owner are set. Linux creates the file with the socket's mode, minus the umask.
        try systemCall("change the mode of the socket for \(path)") { fchmod(socket.number, 0o600) }
        try systemCall("bind \(path)") { address.withPointer { bind(socket.number, $0, $1) } }
        if access.owner != nil || access.group != nil {
            // -1 keeps a value (chown(2)).
            try systemCall("change the owner of \(path)") { chown(path, access.owner ?? .max, access.group ?? .max) }
        }
        try systemCall("change the mode of \(path)") { chmod(path, access.mode) }
        return socket
    }

    private static func removeStaleSocket(_ path: String, _ address: UnixAddress) throws {
        guard SocketFile(path: path) != nil else { return }
        let probe = try open(AF_UNIX, for: path)
        // errno is read before the probe can close.
        let failure = address.withPointer { target, size in
            uninterrupted { connect(probe.number, target, size) } < 0 ? Errno(rawValue: errno) : nil
        }
        guard let error = failure else { throw FastCGIError("\(path) is served by another process") }
        guard error == .connectionRefused else { throw SystemCallError("connect \(path)", error) }
        try systemCall("remove the stale socket \(path)") { unlink(path) }
    }

    private static func bindTCP(_ host: String, _ port: UInt16, _ name: String) throws -> OwnedDescriptor {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host.isEmpty ? nil : host, "\(port)", &hints, &found)
        guard status == 0, let address = found?.pointee else {
            throw FastCGIError("resolve \(name): \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(found) }
        let socket = try open(address.ai_family, address.ai_protocol, for: name)
        var on: Int32 = 1
        try systemCall("set SO_REUSEADDR on \(name)") {
            setsockopt(socket.number, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout.size(ofValue: on)))
        }
        try systemCall("bind \(name)") { bind(socket.number, address.ai_addr, address.ai_addrlen) }
        return socket
    }
}

/// The file of a unix socket that this process made, identified by its inode: another process may have replaced it since.
private struct SocketFile: Sendable, Equatable {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Returns `nil` if there is no socket at the path.
    init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    func remove() {
        if SocketFile(path: path) == self { unlink(path) }
    }
}
