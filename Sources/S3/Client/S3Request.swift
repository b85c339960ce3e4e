import Encoding
import PayloadKey

/// A request of an S3 operation.
struct S3Request: Sendable {
    typealias Fields = [(name: String, value: String)]

    /// What is being done, for messages: `PUT of an object`.
    let operation: String
    let method: String
    /// As on the wire: percent-encoded.
    let path: String
    /// Not encoded.
    var query: Fields = []
    /// All are signed but those that are changed on the way.
    var headers: Fields = []
    var body = S3Body.bytes([])
    /// SHA-256 of the body, in hex.
    var payloadHash = SigV4Signer.emptyPayloadHash
    /// In place of the limits' own, for answers that take longer.
    var stallTime: Duration?
    /// How long it may take in all, where the answer is short.
    var total: Duration?
    /// What the client's deadline is for.
    var deadline = Deadline.wholeAnswer

    enum Deadline {
        case wholeAnswer
        /// The answer takes as long as whoever reads it.
        case firstByte
        /// The caller already has the first byte.
        case nothing
    }

    /// The query as it is signed, which may go on the wire, too: percent-encoded, sorted by names, then values.
    var canonicalQuery: String {
        query.map { (name: uriEncoded($0.name), value: uriEncoded($0.value)) }
            .sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            .map { "\($0.name)=\($0.value)" }
            .joined(separator: "&")
    }
}

/// A name or value of a query, with all bytes but the unreserved characters of RFC 3986 encoded ("UriEncode" of AWS's
/// documentation).
private func uriEncoded(_ text: String) -> String {
    text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        .map { PercentEncoding.encodePath($0) }
        .joined(separator: "%2F")
}
