import Encoding
import HTTP
import PayloadKey

/// The URL of another codec server, below which it has `encode` and `decode`. It may contain `{namespace}` in its path.
struct CodecServerURL: Equatable, Sendable {
    private static let placeholder = "{namespace}"

    /// The URL without slashes at its end.
    let text: String

    /// Parses `http://HOST[:PORT][/PATH]`, or the same with `https`.
    ///
    /// - Returns: `nil` if it is not such a URL.
    /// - Throws: ``ConfigurationError``, which does not show the URL, if it may contain credentials.
    init?(parsing text: String) throws {
        guard !text.contains(where: "@?#".contains) else {
            throw ConfigurationError(
                "--codec-next (LPS_CODEC_NEXT) contains '@', '?' or '#': expected a URL without user, password, query and "
                    + "fragment"
            )
        }
        guard Endpoint.split(text) != nil else { return nil }
        self.text = String(text.reversed().drop { $0 == "/" }.reversed())
    }

    var needsNamespace: Bool { text.contains(Self.placeholder) }

    /// - Parameter namespace: replaces `{namespace}`.
    func url(of operation: String, in namespace: Namespace?) -> String {
        let base = namespace.map { text.replacing(Self.placeholder, with: PercentEncoding.encodePath($0.utf8)) } ?? text
        return "\(base)/\(operation)"
    }
}
