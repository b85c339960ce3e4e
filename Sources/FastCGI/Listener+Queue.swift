import CLinux
import Glibc

extension Listener {
    /// The queue of connections that the kernel has accepted and no thread has.
    public struct Queue: Sendable {
        /// The number of waiting connections.
        public let waiting: UInt32
        /// The number of connections that can wait; the kernel refuses more.
        public let limit: UInt32
    }

    /// Reads the current queue; `nil` if the kernel does not report it. For a unix socket, it does so only by netlink
    /// (sock_diag(7)), which a sandbox can forbid, and only in the socket's own network namespace.
    public func queue() -> Queue? {
        tcpQueue() ?? unixQueue()
    }

    private func tcpQueue() -> Queue? {
        var info = tcp_info()
        var size = socklen_t(MemoryLayout.size(ofValue: info))
        guard getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &info, &size) == 0 else { return nil }
        // For a listening socket, these are the queue's length and limit (net/ipv4/tcp.c, tcp_get_info).
        return Queue(waiting: info.tcpi_unacked, limit: info.tcpi_sacked)
    }

    private func unixQueue() -> Queue? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        let netlink = socket(AF_NETLINK, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_SOCK_DIAG)
        guard netlink >= 0 else { return nil }
        defer { close(netlink) }
        var question = Question(inode: UInt32(truncatingIfNeeded: status.st_ino))
        let sent = withUnsafeBytes(of: &question) { send(netlink, $0.baseAddress, $0.count, 0) }
        guard sent == MemoryLayout<Question>.size else { return nil }
        var answer = [UInt8](repeating: 0, count: 1024)
        let count = recv(netlink, &answer, answer.count, 0)
        guard count > 0 else { return nil }
        return answer.prefix(count).withUnsafeBytes(Self.queue(in:))
    }

    /// A netlink request for one unix socket's queue: `struct nlmsghdr` (netlink(7)) and `struct unix_diag_req`.
    private struct Question {
        private var header = nlmsghdr()
        private var request = unix_diag_req()

        init(inode: UInt32) {
            header.nlmsg_len = UInt32(MemoryLayout<Question>.size)
            header.nlmsg_type = UInt16(SOCK_DIAG_BY_FAMILY)
            header.nlmsg_flags = UInt16(NLM_F_REQUEST)
            request.sdiag_family = UInt8(AF_UNIX)
            request.udiag_states = .max
            request.udiag_ino = inode
            request.udiag_show = UInt32(UDIAG_SHOW_RQLEN)
            // No cookie: the inode number identifies the socket.
            request.udiag_cookie = (.max, .max)
        }
    }

    /// Finds the attribute `UNIX_DIAG_RQLEN` in an answer: `struct nlmsghdr`, `struct unix_diag_msg`, attributes.
    private static func queue(in answer: UnsafeRawBufferPointer) -> Queue? {
        var offset = MemoryLayout<nlmsghdr>.size + MemoryLayout<unix_diag_msg>.size
        guard answer.count >= offset,
            answer.loadUnaligned(as: nlmsghdr.self).nlmsg_type == UInt16(SOCK_DIAG_BY_FAMILY)
        else { return nil }
        while offset + MemoryLayout<nlattr>.size <= answer.count {
            let attribute = answer.loadUnaligned(fromByteOffset: offset, as: nlattr.self)
            let value = offset + MemoryLayout<nlattr>.size
            if attribute.nla_type == UInt16(UNIX_DIAG_RQLEN),
                value + MemoryLayout<unix_diag_rqlen>.size <= answer.count
            {
                let queue = answer.loadUnaligned(fromByteOffset: value, as: unix_diag_rqlen.self)
                return Queue(waiting: queue.udiag_rqueue, limit: queue.udiag_wqueue)
            }
            guard attribute.nla_len >= MemoryLayout<nlattr>.size else { return nil }
            // Attributes start at multiples of four bytes.
            offset += (Int(attribute.nla_len) + 3) & ~3
        }
        return nil
    }
}
