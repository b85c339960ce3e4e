import Crypto
import Encoding
import PayloadKey

/// Signs requests as S3 requires: "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API Reference.
struct SigV4Signer: Sendable {
    /// The SHA-256 of an empty body.
    static let emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private static let algorithm = "AWS4-HMAC-SHA256"
    /// Headers that clients and proxies add or change on the way. AWS's own tools do not sign them either.
    private static let unsignedHeaders: Set = ["expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"]

    let region: String

    /// Adds `x-amz-date`, `x-amz-content-sha256`, `x-amz-security-token` and `authorization`.
    ///
    /// - Parameter request: must have the header `Host`.
    /// - Returns: the signature, which must not appear in any message.
    @discardableResult
    func sign(_ request: inout S3Request, _ credentials: Credentials, at unixSeconds: Int) -> String {
        let time = timestamp(unixSeconds)
        request.headers.append(("x-amz-date", time))
        request.headers.append(("x-amz-content-sha256", request.payloadHash))
        if let token = credentials.sessionToken { request.headers.append(("x-amz-security-token", token)) }
        let headers = Self.canonicalHeaders(request.headers)
        let names = headers.map(\.name).joined(separator: ";")
        var canonical = "\(request.method)\n\(request.path)\n\(request.canonicalQuery)\n"
        for (name, value) in headers { canonical += "\(name):\(value)\n" }
        canonical += "\n\(names)\n\(request.payloadHash)"
        let toSign = "\(Self.algorithm)\n\(time)\n\(scope(time))\n\(Digest(of: canonical.utf8).hex)"
        let signature = hexDigits(code(toSign, key(credentials.secretKey, String(time.prefix(8)))))
        let credential = "\(credentials.accessKey)/\(scope(time))"
        let fields = "Credential=\(credential), SignedHeaders=\(names), Signature=\(signature)"
        request.headers.append(("authorization", "\(Self.algorithm) \(fields)"))
        return signature
    }

    /// Names in lower case, sorted. Values without surrounding white space, with single spaces inside, and joined by
    /// commas if they share a name.
    private static func canonicalHeaders(_ headers: S3Request.Fields) -> S3Request.Fields {
        var canonical: S3Request.Fields = []
        for (name, value) in headers {
            let name = name.lowercased()
            guard !unsignedHeaders.contains(name) else { continue }
            let words = value.utf8.split { $0 == 0x20 || $0 == 0x09 }
            let value = words.map { String(Substring($0)) }.joined(separator: " ")
            if let index = canonical.firstIndex(where: { $0.name == name }) {
                canonical[index].value += "," + value
            } else {
                canonical.append((name, value))
            }
        }
        return canonical.sorted { $0.name < $1.name }
    }

    private func scope(_ time: String) -> String {
        "\(time.prefix(8))/\(region)/s3/aws4_request"
    }

    /// Not cached for the day: deriving it takes 6 µs, a request milliseconds.
    private func key(_ secret: String, _ day: String) -> SymmetricKey {
        var key = SymmetricKey(data: Array("AWS4\(secret)".utf8))
        for part in [day, region, "s3", "aws4_request"] { key = SymmetricKey(data: code(part, key)) }
        return key
    }

    private func code(_ text: String, _ key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
    }
}
