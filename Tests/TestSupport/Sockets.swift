import Foundation

/// A socket on which `call` succeeds with an address. Processes that a test starts do not inherit it.
private func openSocket<Address>(
    _ family: Int32,
    type: Int32 = Int32(SOCK_STREAM.rawValue),
    _ address: Address,
    _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
) throws -> Int32 {
    let descriptor = socket(family, type | Int32(SOCK_CLOEXEC.rawValue), 0)
    let size = socklen_t(MemoryLayout<Address>.size)
    let status = withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(descriptor, $0, size) }
    }
    guard descriptor >= 0, status == 0 else {
        let error = errno
        close(descriptor)
        throw POSIXError(.init(rawValue: error) ?? .EIO)
    }
    return descriptor
}

private func loopbackAddress(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

private func unixAddress(_ path: String) -> sockaddr_un {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
    return address
}

/// Connects to a port of this machine.
package func connectTCP(_ port: UInt16) throws -> Int32 { try openSocket(AF_INET, loopbackAddress(port), connect) }

/// Connects to a unix socket.
package func connectUnix(_ path: String) throws -> Int32 { try openSocket(AF_UNIX, unixAddress(path), connect) }

/// Listens on a unix socket, as spawn-fcgi and systemd do for the processes they start.
package func listenUnix(_ path: String, backlog: Int32 = 4096) throws -> Int32 {
    try openSocket(AF_UNIX, unixAddress(path)) { bind($0, $1, $2) == 0 ? listen($0, backlog) : -1 }
}

/// A datagram socket bound to a path.
package func bindDatagrams(_ path: String) throws -> Int32 {
    try openSocket(AF_UNIX, type: Int32(SOCK_DGRAM.rawValue), unixAddress(path), bind)
}

/// A listener on a free port of the loopback address.
package func listenOnLoopback(backlog: Int32 = 128) throws -> (descriptor: Int32, port: UInt16) {
    let descriptor = try openSocket(AF_INET, loopbackAddress(0)) { bind($0, $1, $2) == 0 ? listen($0, backlog) : -1 }
    var (address, length) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
    withUnsafeMutablePointer(to: &address) {
        _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
}

/// Whether a server could listen on a port of the loopback address.
func isFree(_ port: UInt16) -> Bool {
    let descriptor = try? openSocket(AF_INET, loopbackAddress(port)) { descriptor, address, size in
        // As servers do, so that connections in TIME_WAIT do not count.
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        return bind(descriptor, address, size)
    }
    if let descriptor { close(descriptor) }
    return descriptor != nil
}

/// Limits each wait for a socket's other side, so that a test cannot hang.
package func endWaits(of descriptor: Int32, after seconds: Int) {
    var timeout = timeval(tv_sec: seconds, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }
}

/// Sends what the other side, which may have closed, accepts. Returns whether that was everything.
@discardableResult
func sendWhatIsTaken(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    bytes.withUnsafeBytes { bytes in
        var sent = 0
        while sent < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
            let count = send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
