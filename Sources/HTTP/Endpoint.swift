import Encoding
import Glibc

/// Scheme, host and port of an HTTP server.
package struct Endpoint: Equatable, Sendable {
    package let isTLS: Bool
    /// A name in lower case, an IPv4 address, or an IPv6 address without brackets.
    package let host: String
    /// `nil` for the scheme's default port.
    package let port: Int?

    /// The scheme, with the slashes before the host.
    package var scheme: String { isTLS ? "https://" : "http://" }

    /// Scheme and host, without a slash at the end.
    package var origin: String { scheme + authority }

    /// Host and port in the form of the `Host` header.
    package var authority: String {
        let host = host.contains(":") ? "[\(host)]" : host
        return port.map { "\(host):\($0)" } ?? host
    }

    /// Whether the host is an IP address, which has no subdomains.
    package var isAddress: Bool { address(AF_INET) != nil || address(AF_INET6) != nil }

    /// Whether the host is this machine, without asking a name server.
    package var isLoopback: Bool {
        host == "localhost" || address(AF_INET)?[0] == 127
            || address(AF_INET6) == [UInt8](repeating: 0, count: 15) + [1]
    }

    /// Parses `http://HOST[:PORT]` or `https://HOST[:PORT]`, with at most one trailing slash. An IPv6 address needs
    /// brackets.
    package init?(parsing text: String) {
        guard let (endpoint, rest) = Self.split(text), rest.isEmpty || rest == "/" else { return nil }
        self = endpoint
    }

    /// Splits a URL into its endpoint and the rest.
    package static func split(_ url: String) -> (endpoint: Endpoint, rest: Substring)? {
        // In ASCII, each character is one byte.
        guard isVisible(url.utf8), let scheme = ["http://", "https://"].first(where: url.hasPrefix) else { return nil }
        let authority = url.dropFirst(scheme.count).prefix { !"/?#".contains($0) }
        guard let endpoint = Endpoint(isTLS: scheme == "https://", authority: authority) else { return nil }
        return (endpoint, url[authority.endIndex...])
    }

    private init?(isTLS: Bool, authority: Substring) {
        let close = authority.hasPrefix("[") ? authority.firstIndex(of: "]").map(authority.index(after:)) : nil
        let end = close ?? authority.firstIndex(of: ":") ?? authority.endIndex
        let (host, rest) = (authority[..<end], authority[end...])
        guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
        // An empty port is the scheme's default (RFC 3986 section 3.2.3).
        let usual: UInt64 = isTLS ? 443 : 80
        guard let port = rest.count < 2 ? usual : decimal(rest.utf8.dropFirst()), (1...65535).contains(port) else {
            return nil
        }
        self.isTLS = isTLS
        self.host = (close == nil ? host : host.dropFirst().dropLast()).lowercased()
        self.port = port == usual ? nil : Int(port)
        guard close == nil ? Self.isHostName(self.host) : address(AF_INET6) != nil else { return nil }
    }

    private func address(_ family: Int32) -> [UInt8]? {
        var address = [UInt8](repeating: 0, count: family == AF_INET ? 4 : 16)
        return inet_pton(family, host, &address) == 1 ? address : nil
    }

    /// Whether a name consists of dot-separated labels of letters, digits, `-` and `_`, which container networks use.
    package static func isHostName(_ name: String) -> Bool {
        let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return name.utf8.count <= 253 && labels.allSatisfy { (1...63).contains($0.count) && isMade($0, with: "-_") }
    }
}

/// Whether a text consists of ASCII letters, digits and the characters in `others`.
package func isMade(_ text: some Sequence<UInt8>, with others: StaticString = "") -> Bool {
    text.allSatisfy { $0.isLetterOrDigit(or: others) }
}

/// Whether a text is visible ASCII, without white space and control characters.
package func isVisible(_ text: some Sequence<UInt8>) -> Bool {
    text.allSatisfy { (0x21...0x7E).contains($0) }
}
