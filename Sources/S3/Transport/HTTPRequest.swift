/// A request as it goes on the wire.
struct HTTPRequest {
    var method: String
    /// Scheme, host, path and query, percent-encoded.
    var url: String
    /// `Host` among them. Their values have no control characters.
    var headers: S3Request.Fields
    var body = S3Body.bytes([])
    /// Whether the environment's proxies are used.
    var usesProxies = true
}
