import Logging

extension AWSCredentials {
    /// Asks the endpoints of containers and instances through libcurl.
    ///
    /// - Parameter environment: the value of an environment variable.
    public convenience init(environment: @escaping AWSEnvironment, logger: Logger) {
        self.init(environment: environment, http: simpleHTTP, logger: logger)
    }
}

/// Requests of credentials' endpoints: no proxies, no redirects, up to 1 MiB.
let simpleHTTP: SimpleHTTP = { (method, url, headers, seconds) throws(SimpleHTTPError) in
    let body = BodyBuffer(limit: 1024 * 1024)
    let request = HTTPRequest(
        method: method,
        url: url,
        headers: headers.map { (name: $0.0, value: $0.1) },
        usesProxies: false
    )
    var limits = S3Limits()
    limits.connectTimeout = .seconds(seconds)
    limits.stallTime = .seconds(seconds)
    limits.total = .seconds(seconds)
    let exchange = Exchange(body: .none, onPiece: {}, receive: { _, piece in body.take(piece) })
    do {
        try HTTPHandle.perform(request, limits, exchange)
    } catch {
        throw SimpleHTTPError((error as? TransportError)?.description ?? "\(error)")
    }
    guard !body.isCut else { throw SimpleHTTPError("an answer of over 1 MiB") }
    return (exchange.head.status, body.bytes)
}
