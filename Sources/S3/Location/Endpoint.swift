import Glibc

/// Scheme, host and port of an HTTP server.
struct Endpoint: Equatable {
    let isTLS: Bool
    /// A name in lower case, an IPv4 address, or an IPv6 address without brackets.
    let host: String
    /// `nil`: the scheme's own.
    let port: Int?

    /// Scheme and host, without a slash at the end.
    var origin: String { (isTLS ? "https://" : "http://") + authority }

    /// As in the `Host` header.
    var authority: String {
        let host = isIPv6 ? "[\(host)]" : host
        return port.map { "\(host):\($0)" } ?? host
    }

    /// Whether no name can stand before the host's.
    var isAddress: Bool { isIPv6 || address(AF_INET, bytes: 4) != nil }

    /// Whether the host is this machine's own, whatever a name server says.
    var isLoopback: Bool {
        if host == "localhost" { return true }
        if let address = address(AF_INET, bytes: 4) { return address[0] == 127 }
        if let address = address(AF_INET6, bytes: 16) {
            return address.dropLast().allSatisfy { $0 == 0 } && address[15] == 1
        }
        return false
    }

    /// Reads `http://HOST[:PORT]` or `https://HOST[:PORT]`, with at most one slash behind it. An IPv6 address is in
    /// brackets.
    init?(parsing text: String) {
        let text = text.utf8
        guard let (scheme, rest) = Self.split(Array(text)) else { return nil }
        let authority = rest.last == UInt8(ascii: "/") ? rest.dropLast() : rest
        self.init(isTLS: scheme, authority: authority)
    }

    /// - Parameter authority: `HOST[:PORT]`.
    init?(isTLS: Bool, authority: ArraySlice<UInt8>) {
        self.isTLS = isTLS
        let rest: ArraySlice<UInt8>
        if authority.first == UInt8(ascii: "[") {
            guard let close = authority.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = String(decoding: authority[..<close].dropFirst(), as: UTF8.self).lowercased()
            rest = authority[(close + 1)...]
        } else {
            let colon = authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.endIndex
            guard Self.isHostName(authority[..<colon]) else { return nil }
            host = String(decoding: authority[..<colon], as: UTF8.self).lowercased()
            rest = authority[colon...]
        }
        guard rest.isEmpty || rest.first == UInt8(ascii: ":") else { return nil }
        // An empty port is the scheme's own (RFC 3986 section 3.2.3).
        let usual: UInt64 = isTLS ? 443 : 80
        guard let port = rest.count < 2 ? usual : decimal(rest.dropFirst()), (1...65535).contains(port) else {
            return nil
        }
        self.port = port == usual ? nil : Int(port)
        if authority.first == UInt8(ascii: "["), address(AF_INET6, bytes: 16) == nil { return nil }
    }

    /// The scheme, and what stands behind its slashes.
    static func split(_ url: [UInt8]) -> (isTLS: Bool, rest: ArraySlice<UInt8>)? {
        for (scheme, isTLS) in [("http://", false), ("https://", true)] where url.starts(with: scheme.utf8) {
            return (isTLS, url.dropFirst(scheme.utf8.count))
        }
        return nil
    }

    private var isIPv6: Bool { host.utf8.contains(UInt8(ascii: ":")) }

    private func address(_ family: Int32, bytes: Int) -> [UInt8]? {
        var address = [UInt8](repeating: 0, count: bytes)
        // Its bytes would end at a NUL for inet_pton.
        guard !host.utf8.contains(0), inet_pton(family, host, &address) == 1 else { return nil }
        return address
    }

    /// Labels of letters, digits, `-` and `_` (as container networks name hosts), parted by dots.
    static func isHostName(_ name: some Collection<UInt8>) -> Bool {
        guard (1...253).contains(name.count) else { return false }
        return name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count)
                && label.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        }
    }
}

/// Whether a byte is an ASCII letter or digit.
func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: false
    }
}

/// Whether a text is ASCII that can be seen: no white space, no control characters.
func isVisible(_ text: some Sequence<UInt8>) -> Bool {
    text.allSatisfy { (0x21...0x7E).contains($0) }
}
