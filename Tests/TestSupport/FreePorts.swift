import Foundation
import Synchronization

private let given = Mutex<Set<UInt16>>([])

/// Free ports of the loopback address, whose numbers plus 10000 are also free. No other test of this process gets them.
/// They are below the range that the kernel assigns to clients (ip_local_port_range of ip(7)).
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
