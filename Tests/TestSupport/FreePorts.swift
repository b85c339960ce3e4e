import Foundation
import Synchronization

private let given = Mutex<Set<UInt16>>([])

/// Ports of the loopback address that are free, as are those above them by 10000, and that no other test of this process
/// is given. They are below those that the kernel gives to clients (ip_local_port_range of ip(7)).
package func freePorts(_ count: Int) throws -> [UInt16] {
    try given.withLock { given in
        let free = (UInt16(10_000)..<20_000).shuffled().lazy
            .filter { [given] in !given.contains($0) && isFree($0) && isFree($0 + 10_000) }.prefix(count)
        let ports = Array(free)
        guard ports.count == count else { throw NeverHappened(what: "\(count) ports are free") }
        given.formUnion(ports)
        return ports
    }
}

package func freePort() throws -> UInt16 { try freePorts(1)[0] }

private func isFree(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    // As servers bind: connections that are closing do not count.
    var reuse: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}
