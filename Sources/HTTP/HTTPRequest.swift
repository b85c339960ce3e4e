/// An HTTP request, as it is sent.
package struct HTTPRequest {
    package typealias Fields = [(name: String, value: String)]

    var method: String
    /// Scheme, host, path and query, percent-encoded.
    var url: String
    /// The headers; libcurl adds `Host`, unless it is among them. The values must not contain control characters.
    var headers: Fields
    var body: RequestBody
    /// Whether to use the proxies that the environment names.
    var usesProxies: Bool

    package init(
        method: String,
        url: String,
        headers: Fields,
        body: RequestBody = .bytes([]),
        usesProxies: Bool = true
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.usesProxies = usesProxies
    }
}
