import Glibc

extension Listener {
    /// Finds the sockets that the process was started with: systemd's (`LISTEN_FDS`, sd_listen_fds(3)), or else file
    /// descriptor 0 if it is a listening socket, as spawn-fcgi and the FastCGI specification (section 2.2) pass it.
    ///
    /// - Returns: an empty list if there are none.
    /// - Throws: ``FastCGIError`` if systemd's variables are invalid; `SystemCallError` if a socket can't be used.
    public static func inherited() throws -> [Listener] {
        guard let count = try systemdSockets() else {
            return isListening(0) ? [try Listener(inherited: 0, name: "inherited descriptor 0")] : []
        }
        return try (3..<3 + count).map { descriptor in
            guard isListening(descriptor) else {
                throw FastCGIError("descriptor \(descriptor) of LISTEN_FDS=\(count) is not a listening socket")
            }
            return try Listener(inherited: descriptor, name: "systemd socket \(descriptor)")
        }
    }

    /// The number of sockets that systemd passed to this process, from descriptor 3 on; `nil` if it passed none.
    private static func systemdSockets() throws -> Int32? {
        guard let pid = getenv("LISTEN_PID"), let count = getenv("LISTEN_FDS"),
            // The variables may be inherited from a parent that they were meant for.
            pid_t(String(cString: pid)) == getpid()
        else { return nil }
        guard let count = Int32(String(cString: count)), (1...64).contains(count) else {
            throw FastCGIError("LISTEN_FDS=\(String(cString: count)) is not a number from 1 to 64")
        }
        return count
    }

    static func isListening(_ descriptor: Int32) -> Bool {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout.size(ofValue: value))
        return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0
    }
}
