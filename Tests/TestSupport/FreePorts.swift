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
