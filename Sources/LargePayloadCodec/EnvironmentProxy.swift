#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import AsyncHTTPClient
import NIOCore

/// The proxies that environment variables name, with the rules of curl (curl(1), "ENVIRONMENT" and `--noproxy`).
struct EnvironmentProxy: Sendable {
    private struct Variable {
        let name: String
        let value: String
    }

    private let http: Variable?
    private let https: Variable?
    /// Hosts, domains, addresses and networks, in lowercase.
    private let exceptions: [String]

    init(_ environment: [String: String]) {
        func first(_ names: String...) -> Variable? {
            for name in names {
                if let value = environment[name], !value.isEmpty { return Variable(name: name, value: value) }
            }
            return nil
        }
        // curl ignores HTTP_PROXY, which a CGI program gets from a client's header field 'Proxy'.
        http = first("http_proxy", "all_proxy", "ALL_PROXY")
        https = first("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        exceptions = (first("no_proxy", "NO_PROXY")?.value ?? "").lowercased()
            .split { $0 == "," || $0.isWhitespace }.map(String.init)
    }

    /// The proxy for a request; `nil` for none.
    ///
    /// - Throws: ``CodecTransportError`` if the variable's value is invalid.
    func proxy(for url: String) throws(CodecTransportError) -> HTTPClient.Configuration.Proxy? {
        guard let url = URL(string: url), let host = url.host()?.lowercased() else { return nil }
        let variable: Variable? =
            switch url.scheme?.lowercased() {
            case "http": http
            case "https": https
            default: nil
            }
        guard let variable, !isException(host.trimmed(of: "[", "]")) else { return nil }
        return try Self.parse(variable)
    }

    private static func parse(_ variable: Variable) throws(CodecTransportError) -> HTTPClient.Configuration.Proxy {
        let hasScheme = variable.value.contains("://")
        let url = URL(string: hasScheme ? variable.value : "http://\(variable.value)")
        let host = url?.host()?.trimmed(of: "[", "]") ?? ""
        let port = url?.port ?? 1080
        switch url?.scheme?.lowercased() {
        case "http" where !host.isEmpty && (1...65_535).contains(port):
            let user = url?.user(percentEncoded: false)
            let password = url?.password(percentEncoded: false) ?? ""
            return .server(
                host: host,
                port: port,
                authorization: user.map { .basic(username: $0, password: password) }
            )
        case "socks5" where !host.isEmpty, "socks5h" where !host.isEmpty:
            return .socksServer(host: host, port: port)
        default:
            // The value may contain a password.
            let error = LargePayloadCodecOptionError(variable.name, "is not http://HOST:PORT or socks5://HOST:PORT")
            throw CodecTransportError(error, message: "the environment variable \(error)")
        }
    }

    private func isException(_ host: String) -> Bool {
        let address = Self.address(host)
        return exceptions.contains { exception in
            if exception == "*" { return true }
            guard let address else {
                let domain = exception.trimmed(of: ".")
                return host.trimmed(of: ".") == domain || host.trimmed(of: ".").hasSuffix(".\(domain)")
            }
            let parts = exception.split(separator: "/", maxSplits: 1)
            guard let first = parts.first, let network = Self.address(first.trimmed(of: "[", "]")),
                network.count == address.count
            else { return false }
            let length = parts.count == 2 ? Int(parts[1]) : 8 * address.count
            guard let length, (0...8 * address.count).contains(length) else { return false }
            return (0..<length).allSatisfy { bit in
                (address[bit / 8] ^ network[bit / 8]) & (0x80 >> (bit % 8)) == 0
            }
        }
    }

    /// The bytes of an IPv4 or IPv6 address; `nil` for a host name.
    private static func address(_ text: String) -> [UInt8]? {
        switch try? SocketAddress(ipAddress: text, port: 0) {
        case .v4(let address): withUnsafeBytes(of: address.address.sin_addr) { Array($0) }
        case .v6(let address): withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
        case .unixDomainSocket, nil: nil
        }
    }
}

extension StringProtocol {
    /// The text without any of these characters at its beginning and end.
    fileprivate func trimmed(of characters: Character...) -> String {
        var text = self[...]
        while let first = text.first, characters.contains(first) { text = text.dropFirst() }
        while let last = text.last, characters.contains(last) { text = text.dropLast() }
        return String(text)
    }
}
