import Glibc

/// Tells systemd of this process's state, as sd_notify(3) does; nothing happens when systemd did not ask for it.
///
/// A message that can't be sent is of no consequence for requests; systemd then acts on its own timeouts.
func notifySystemd(_ state: String) {
    guard let path = getenv("NOTIFY_SOCKET").map({ Array(String(cString: $0).utf8) }), path.count > 1 else { return }
    var address = sockaddr_un()
    guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { name in
        name.copyBytes(from: path)
        // A name in the abstract namespace (unix(7)) is written with an @.
        if path[0] == UInt8(ascii: "@") { name[0] = 0 }
    }
    let size = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path).map { $0 + path.count } ?? 0)
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let message = Array(state.utf8)
    withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            _ = sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), address, size)
        }
    }
}

/// Whether a file is the journal's: `JOURNAL_STREAM` has its device and its inode then (systemd.exec(5)).
func isJournal(_ descriptor: Int32) -> Bool {
    guard let stream = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return false }
    var status = stat()
    return fstat(descriptor, &status) == 0 && stream == "\(status.st_dev):\(status.st_ino)"
}
