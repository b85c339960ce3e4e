/// A connection to the web server that failed, or a listening socket that can't be used. What fails in the system itself is
/// a ``SystemCallError``, but for a connection.
public struct FastCGIError: Error, CustomStringConvertible, Sendable {
    /// One line for the log.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
