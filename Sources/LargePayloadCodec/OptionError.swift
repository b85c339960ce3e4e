import FoundationEssentials
import PayloadKey

/// An option that a codec can't be made with: which, its value, and what is expected.
public struct LargePayloadCodecOptionError: Error, Equatable, CustomStringConvertible {
    /// The option's name, a property of ``LargePayloadCodec/Options``.
    public let option: String
    /// What is wrong with it, and what is expected.
    public let reason: String

    /// One line.
    public var description: String { "\(option) \(reason)" }

    init(_ option: String, _ reason: String) {
        self.option = option
        self.reason = reason
    }
}

extension LargePayloadCodec.Options {
    /// Header fields that the codec sets itself.
    private static let ownHeaders = [
        "connection", "content-length", "content-type", "host", "transfer-encoding",
        "x-payload-expected-content-length",
        "x-temporal-metadata",
    ]

    /// Checks each option.
    ///
    /// - Returns: the namespace.
    func validated() throws(LargePayloadCodecOptionError) -> Namespace {
        try validateURL()
        try validateHeaders()
        try require(minimumSize >= 0, "minimumSize", "is \(minimumSize), expected a number of bytes from 0 up")
        try require(
            apiVersion == PayloadReference.version,
            "apiVersion",
            "is '\(apiVersion)', expected '\(PayloadReference.version)'"
        )
        try require(
            maximumConcurrentRequests > 0,
            "maximumConcurrentRequests",
            "is \(maximumConcurrentRequests), expected a number from 1 up"
        )
        try require(requestTimeout > .zero, "requestTimeout", "is \(requestTimeout), expected a time over zero")
        try require(cacheSize >= 0, "cacheSize", "is \(cacheSize), expected a number of bytes from 0 up")
        let shortest = min(retries.giveUpAfter, retries.initialDelay, retries.maximumDelay)
        try require(shortest >= .zero, "retries", "have a time of \(shortest), expected times from zero up")
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
        let expected = "expected 'https://HOST', 'http://HOST' or one with a path"
        guard let parsed = URL(string: url), let scheme = parsed.scheme?.lowercased(),
            ["http", "https", "http+unix", "https+unix"].contains(scheme), let host = parsed.host(), !host.isEmpty
        else { throw LargePayloadCodecOptionError("url", "is '\(url)', \(expected)") }
        guard Self.hasUsablePort(url) else {
            throw LargePayloadCodecOptionError("url", "is '\(url)', expected a port from 1 to 65535")
        }
        guard parsed.query == nil, parsed.fragment == nil else {
            throw LargePayloadCodecOptionError("url", "is '\(url)', \(expected), without query and fragment")
        }
        guard parsed.user == nil, parsed.password == nil else {
            // Not repeated: it has a password.
            throw LargePayloadCodecOptionError("url", "names a user: authenticate with a header or the hook")
        }
    }

    /// Whether the port in the authority (RFC 3986 section 3.2), where there is one, is a port. `URL` takes any number,
    /// and none for one that is too large for an `Int`.
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
                throw LargePayloadCodecOptionError("headers", "have the name '\(header.name)', expected an HTTP token")
            }
            guard !Self.ownHeaders.contains(header.name.lowercased()) else {
                throw LargePayloadCodecOptionError("headers", "have '\(header.name)', which the codec sets itself")
            }
            guard header.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw LargePayloadCodecOptionError(
                    "headers",
                    "have a control character in the value of '\(header.name)'"
                )
            }
        }
    }
}
