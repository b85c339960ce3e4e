import Encoding
import HTTP
import PayloadKey

/// A request of an S3 operation.
struct S3Request: Sendable {
    typealias Fields = HTTPRequest.Fields

    /// The operation, for messages: `PUT of an object`.
    let operation: String
    let method: String
    /// Percent-encoded, as sent.
    let path: String
    /// Not encoded.
    var query: Fields = []
    /// All are signed, except those that clients and proxies change on the way.
    var headers: Fields = []
    var body = RequestBody.bytes([])
    /// The SHA-256 of the body, in hex.
    var payloadHash = SigV4Signer.emptyPayloadHash
    /// Replaces the client's limit, for answers that take longer.
    var stallTime: Duration?
    /// The limit for the whole request, if the answer is short.
    var total: Duration?
    /// The part of the answer that the client's deadline applies to.
    var deadline = Deadline.wholeAnswer

    enum Deadline {
        case wholeAnswer
        /// The reader of the answer determines how long the rest takes.
        case firstByte
        /// Nothing, because the caller already has the first byte.
        case nothing
    }

    /// The query as it is signed and sent: percent-encoded, sorted by names, then values.
    var canonicalQuery: String {
        query.map { (name: uriEncoded($0.name), value: uriEncoded($0.value)) }
            .sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            .map { "\($0.name)=\($0.value)" }
            .joined(separator: "&")
    }
}

/// Encodes a name or value of a query: all bytes except the unreserved characters of RFC 3986 ("UriEncode" in AWS's
/// documentation).
private func uriEncoded(_ text: String) -> String {
    text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        .map { PercentEncoding.encodePath($0) }
        .joined(separator: "%2F")
}
