import Glibc
import System
import SystemPackage

/// A listening socket.
///
/// It is set to not block, since a connection that wakes two processes is accepted by one of them. Processes that share
/// an inherited socket share this setting.
public final class Listener: Sendable {
    /// Connections that the kernel holds until a thread is free. A full queue makes nginx answer an error at once; the
    /// kernel lowers it to net.core.somaxconn (listen(2)).
    public static let backlog: Int32 = 4096

    /// Who may connect to a unix socket; a value that is `nil` stays as the system makes it.
    public struct Access: Sendable {
        /// The mode of the socket's file.
        public var mode: mode_t
        /// The owner of the socket's file.
        public var owner: uid_t?
        /// The group of the socket's file.
        public var group: gid_t?

        /// Makes access rights; reading and writing for owner and group is what PHP-FPM's pools have.
        public init(mode: mode_t = 0o660, owner: uid_t? = nil, group: gid_t? = nil) {
            self.mode = mode
            self.owner = owner
            self.group = group
        }
    }

    /// Where it listens, for messages.
    public let name: String
    private let socket: OwnedDescriptor
    private let socketFile: SocketFile?

    var descriptor: Int32 { socket.number }

    /// Binds an address and listens on it.
    ///
    /// A unix socket that a process which died has left behind is replaced; one that is served is not.
    ///
    /// - Throws: ``FastCGIError``, or `SystemCallError`, that names the address and what failed.
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
        try systemCall("listen on \(address)") { listen(descriptor, Self.backlog) }
        try prepare()
    }

    init(inherited descriptor: Int32, name: String) throws {
        self.name = name
        socket = OwnedDescriptor(taking: descriptor)
        socketFile = nil
        try prepare()
    }

    /// Whether no one can connect any more once ``removeSocketFile()`` was called: a unix socket that this process
    /// made. Other processes may serve an inherited one, and a TCP port stays reachable while it is open.
    var hasFinalQueue: Bool { socketFile != nil }

    deinit {
        removeSocketFile()
    }

    /// Takes away the file of a unix socket that this listener made, if it is still there. Clients that have connected
    /// stay.
    func removeSocketFile() {
        socketFile?.remove()
    }

    /// Makes sure that a path is not too long for a unix socket.
    ///
    /// - Throws: ``FastCGIError`` that names the path.
    public static func check(path: String) throws { _ = try address(path) }

    private static func address(_ path: String) throws -> UnixAddress {
        guard let address = UnixAddress(path) else {
            let limit = UnixAddress.longestPath
            throw FastCGIError("socket path \(path) has \(path.utf8.count) bytes, at most \(limit) are possible")
        }
        return address
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
        // No one may connect before mode and owner are right. Linux gives the file the socket's own mode, less the umask.
        try systemCall("change the mode of the socket for \(path)") { fchmod(socket.number, 0o600) }
        try systemCall("bind \(path)") { address.withPointer { bind(socket.number, $0, $1) } }
        if access.owner != nil || access.group != nil {
            // -1 leaves a value as it is (chown(2)).
            try systemCall("change the owner of \(path)") { chown(path, access.owner ?? .max, access.group ?? .max) }
        }
        try systemCall("change the mode of \(path)") { chmod(path, access.mode) }
        return socket
    }

    private static func removeStaleSocket(_ path: String, _ address: UnixAddress) throws {
        guard SocketFile(path: path) != nil else { return }
        let probe = try open(AF_UNIX, for: path)
        guard uninterrupted({ address.withPointer { connect(probe.number, $0, $1) } }) < 0 else {
            throw FastCGIError("\(path) is served by another process")
        }
        let error = Errno(rawValue: errno)
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

/// The file of a unix socket that this process made, told from one that another process has made at the same path
/// since.
private struct SocketFile: Sendable, Equatable {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// `nil` when there is no socket at the path.
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
