import Glibc
import System

/// Notifies systemd of this process's state, as sd_notify(3) does. Does nothing if `NOTIFY_SOCKET` is not set.
///
/// Ignores failures: systemd then acts on its own timeouts.
func notifySystemd(_ state: String) {
    guard let path = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), path.utf8.count > 1,
        let address = UnixAddress(path, canBeAbstract: true)
    else { return }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let message = Array(state.utf8)
    _ = address.withPointer { sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), $0, $1) }
}

/// Whether a descriptor leads to the journal: `JOURNAL_STREAM` has its device and inode (systemd.exec(5)).
func isJournal(_ descriptor: Int32) -> Bool {
    guard let stream = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return false }
    var status = stat()
    return fstat(descriptor, &status) == 0 && stream == "\(status.st_dev):\(status.st_ino)"
}
