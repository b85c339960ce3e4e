import SystemPackage

/// A failure of the connection to the web server, or of a listening socket.
public struct FastCGIError: Error, Sendable {
    /// What was being done, to what: `bind /run/lps/lps.sock`.
    public let action: String
    /// The failure of the system call, where one failed.
    public let errno: Errno?

    init(_ action: String, errno: Errno? = nil) {
        self.action = action
        self.errno = errno
    }
}

extension FastCGIError: CustomStringConvertible {
    /// One line for the log.
    public var description: String {
        errno.map { "\(action): \($0)" } ?? action
    }
}
