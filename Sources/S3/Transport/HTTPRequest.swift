/// An HTTP request, as it is sent.
struct HTTPRequest {
    var method: String
    /// Scheme, host, path and query, percent-encoded.
    var url: String
    /// All headers, including `Host`. The values must not contain control characters.
    var headers: S3Request.Fields
    var body = S3Body.bytes([])
    /// Whether to use the proxies that the environment names.
    var usesProxies = true
}
