#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import PayloadKey

/// An invalid option: its name, its value, and what is expected.
public struct LargePayloadCodecOptionError: Error, Equatable, CustomStringConvertible {
    /// The option's name, a property of ``LargePayloadCodec/Options``.
    public let option: String
    /// The invalid value, and what is expected instead. A URL with a password is not repeated.
    public let reason: String

    /// Option and reason on one line.
    public var description: String { "\(option) \(reason)" }

    init(_ option: String, _ reason: String) {
        self.option = option
        self.reason = reason
    }
}

extension LargePayloadCodec.Options {
    /// Header fields that the codec or the transport sets, in lowercase.
    private static let ownHeaders = [
        "connection", "content-length", "content-type", "host", "transfer-encoding",
        "x-payload-expected-content-length",
        "x-temporal-metadata",
    ]

    /// Validates every option.
    ///
    /// - Returns: The validated ``namespace``.
    func validated() throws(LargePayloadCodecOptionError) -> Namespace {
        try validateURL()
        try validateHeaders()
        try require(minimumSize >= 0, "minimumSize", "is \(minimumSize), expected 0 bytes or more")
        try require(
            maximumDownloadSize >= 0,
            "maximumDownloadSize",
            "is \(maximumDownloadSize), expected 0 bytes or more"
        )
        try require(
            apiVersion == PayloadReference.version,
            "apiVersion",
            "is '\(apiVersion)', expected '\(PayloadReference.version)'"
        )
        try require(
            maximumConcurrentRequests > 0,
            "maximumConcurrentRequests",
            "is \(maximumConcurrentRequests), expected 1 or more"
        )
        try require(requestTimeout > .zero, "requestTimeout", "is \(requestTimeout), expected more than zero")
        try require(cacheSize >= 0, "cacheSize", "is \(cacheSize), expected 0 bytes or more")
        let shortest = min(retries.giveUpAfter, retries.initialDelay, retries.maximumDelay)
        try require(shortest >= .zero, "retries", "contain a duration of \(shortest), expected zero or more")
        do {
            return try Namespace(validating: namespace.utf8)
        } catch {
            throw LargePayloadCodecOptionError("namespace", "is '\(namespace)': \(error)")
        }
    }

    private func require(
        _ condition: Bool,
        _ option: String,
        _ reason: @autoclosure () -> String
    ) throws(LargePayloadCodecOptionError) {
        guard condition else { throw LargePayloadCodecOptionError(option, reason()) }
    }

    private func validateURL() throws(LargePayloadCodecOptionError) {
        let expected = "expected 'https://HOST' or 'http://HOST', with an optional path"
        guard let parsed = URL(string: url), let scheme = parsed.scheme?.lowercased(),
            ["http", "https", "http+unix", "https+unix"].contains(scheme), let host = parsed.host(), !host.isEmpty
        else { throw LargePayloadCodecOptionError("url", "is '\(url)', \(expected)") }
        guard Self.hasUsablePort(url) else {
            throw LargePayloadCodecOptionError("url", "is '\(url)', expected a port from 1 to 65535")
        }
        guard parsed.query == nil, parsed.fragment == nil else {
            throw LargePayloadCodecOptionError("url", "is '\(url)', \(expected) and no query or fragment")
        }
        guard parsed.user == nil, parsed.password == nil else {
            // The message must not contain the password.
            throw LargePayloadCodecOptionError("url", "contains a user name; authenticate with a header or the hook")
        }
    }

    /// Whether the URL has no port, or one from 1 to 65535, in its authority (RFC 3986 section 3.2).
    ///
    /// `URL` accepts any number, and treats one that is too large for an `Int` as no port.
    private static func hasUsablePort(_ url: String) -> Bool {
        let authority = url.drop { $0 != "/" }.dropFirst(2).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let end = authority.lastIndex(of: "]") ?? authority.lastIndex(of: "@") ?? authority.startIndex
        guard let colon = authority[end...].lastIndex(of: ":") else { return true }
        return UInt16(authority[authority.index(after: colon)...]).map { $0 > 0 } ?? false
    }

    private func validateHeaders() throws(LargePayloadCodecOptionError) {
        for header in headers {
            let isToken =
                !header.name.isEmpty
                && header.name.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "A")...UInt8(ascii: "Z"):
                        true
                    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                    }
                }
            guard isToken else {
                throw LargePayloadCodecOptionError(
                    "headers",
                    "contain the name '\(header.name)', expected an HTTP token"
                )
            }
            guard !Self.ownHeaders.contains(header.name.lowercased()) else {
                throw LargePayloadCodecOptionError("headers", "contain '\(header.name)', which the codec sets itself")
            }
            guard header.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw LargePayloadCodecOptionError(
                    "headers",
                    "contain a control character in the value of '\(header.name)'"
                )
            }
        }
    }
}
