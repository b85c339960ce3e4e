/// An address that a pool listens on.
public enum ListenAddress: Equatable, Sendable {
    /// A unix socket at this path.
    case unix(path: String)
    /// A TCP socket; an empty host means all addresses of the machine.
    case tcp(host: String, port: UInt16)

    /// Parses a path that contains a `/`, a path after `unix:` (as in nginx), or `host:port`, with IPv6 addresses in
    /// brackets. Returns `nil` for anything else.
    public init?(parsing text: String) {
        let scheme = "unix:"
        if text.hasPrefix(scheme) || text.utf8.contains(UInt8(ascii: "/")) {
            let path = text.hasPrefix(scheme) ? String(text.dropFirst(scheme.count)) : text
            guard !path.isEmpty else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        self = .tcp(host: host == "*" ? "" : String(host), port: port)
    }
}

extension ListenAddress: CustomStringConvertible {
    /// The address in the form that ``init(parsing:)`` reads.
    public var description: String {
        switch self {
        case .unix(let path): path
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }
}
