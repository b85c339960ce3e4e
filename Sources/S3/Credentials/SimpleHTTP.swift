/// Makes one HTTP request without a body to an endpoint that gives out credentials. Follows no redirects, uses no proxy,
/// and throws for an answer of an unreasonable length.
public typealias SimpleHTTP =
    @Sendable (
        _ method: String, _ url: String, _ headers: [(String, String)], _ timeoutSeconds: Int
    ) throws(SimpleHTTPError) -> (status: Int, body: [UInt8])

/// Why no answer came.
public struct SimpleHTTPError: Error, Sendable, CustomStringConvertible {
    /// One line, without headers and bodies.
    public let description: String

    /// Makes an error.
    public init(_ description: String) {
        self.description = description
    }
}

/// Gets what an endpoint on this machine or beside it answers with 200.
///
/// - Parameter source: the endpoint's name, for messages.
func answer(
    of source: String,
    to method: String,
    _ url: String,
    _ headers: [(String, String)],
    _ http: SimpleHTTP
) throws(CredentialsError) -> [UInt8] {
    let answer: (status: Int, body: [UInt8])
    do {
        answer = try http(method, url, headers, 2)
    } catch {
        throw CredentialsError("\(source): \(error)", mayPass: true)
    }
    guard answer.status == 200 else {
        throw CredentialsError("\(source) answered status \(answer.status)", mayPass: answer.status >= 429)
    }
    return answer.body
}
