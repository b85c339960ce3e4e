import HTTP

/// Sends one HTTP request without a body to an endpoint that provides credentials. Follows no redirects, uses no proxy,
/// and throws if the answer exceeds 1 MiB.
typealias SimpleHTTP =
    @Sendable (
        _ method: String, _ url: String, _ headers: S3Request.Fields, _ timeout: Duration
    ) throws -> (status: Int, body: [UInt8])

/// ``SimpleHTTP`` through libcurl.
let simpleHTTP: SimpleHTTP = { method, url, headers, timeout in
    let body = BodyBuffer(limit: 1024 * 1024)
    var limits = S3Limits().request
    limits.connectTimeout = timeout
    limits.total = timeout
    let request = HTTPRequest(method: method, url: url, headers: headers, usesProxies: false)
    let head = try HTTPConnections().perform(request, limits) { _, piece in body.take(piece) }
    guard !body.isCut else { throw TransportError(.malformedAnswer, "the answer exceeds 1 MiB") }
    return (head.status, body.bytes)
}

extension CredentialsChain {
    /// The body of an endpoint's answer, which must have status 200.
    ///
    /// - Parameter service: names the endpoint in messages.
    func answer(
        of service: String,
        _ method: String,
        _ url: String,
        _ headers: S3Request.Fields
    ) throws -> [UInt8] {
        let answer: (status: Int, body: [UInt8])
        do {
            answer = try http(method, url, headers, .seconds(2))
        } catch {
            throw CredentialsError("\(service): \(error)", mayPass: true)
        }
        guard answer.status == 200 else {
            throw CredentialsError("\(service) answered status \(answer.status)", mayPass: answer.status >= 429)
        }
        return answer.body
    }
}
