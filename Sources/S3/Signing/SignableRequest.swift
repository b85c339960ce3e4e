/// What of a request is signed.
struct SignableRequest: Sendable {
    var method: String
    /// As on the wire: percent-encoded.
    var path: String
    /// Not encoded.
    var query: [(name: String, value: String)]
    /// `Host` among them. All are signed but those that are changed on the way.
    var headers: [(name: String, value: String)]

    init(
        method: String,
        path: String,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)]
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
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
func uriEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count * 3)
    for byte in text.utf8 {
        if isLetterOrDigit(byte) || "-._~".utf8.contains(byte) {
            bytes.append(byte)
        } else {
            bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
