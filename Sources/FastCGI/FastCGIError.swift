/// A failed connection to the web server, or a listening socket that can't be used. Failed system calls outside of
/// connections throw `SystemCallError` instead.
public struct FastCGIError: Error, CustomStringConvertible, Sendable {
    /// One line for the log.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
