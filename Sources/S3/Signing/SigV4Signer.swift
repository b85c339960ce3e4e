import Crypto
import Encoding
import PayloadKey

/// Signs requests as S3 wants it: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API Reference.
struct SigV4Signer: Sendable {
    /// The hash of no content.
    static let emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    /// In the place of a payload's hash: the signature does not cover the payload.
    static let unsignedPayload = "UNSIGNED-PAYLOAD"

    private static let algorithm = "AWS4-HMAC-SHA256"
    /// What clients and proxies add or change on the way; AWS's own tools leave them out, too.
    private static let unsignedHeaders: Set = ["expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"]

    let region: String
    let service: String

    init(region: String, service: String = "s3") {
        self.region = region
        self.service = service
    }

    /// Adds `x-amz-date`, `x-amz-content-sha256`, `x-amz-security-token` and `authorization`.
    ///
    /// - Parameter payloadHash: the SHA-256 of the payload in hex, or ``unsignedPayload``.
    func sign(
        _ request: inout SignableRequest,
        payloadHash: String,
        _ credentials: Credentials,
        at unixSeconds: Int
    ) {
        let time = timestamp(unixSeconds)
        request.headers.append(("x-amz-date", time))
        request.headers.append(("x-amz-content-sha256", payloadHash))
        if let token = credentials.sessionToken { request.headers.append(("x-amz-security-token", token)) }
        let headers = Self.canonicalHeaders(request.headers)
        let names = headers.map(\.name).joined(separator: ";")
        let query = request.canonicalQuery
        let signature = signature(request, query, headers, names, payloadHash, credentials, time)
        request.headers.append(
            (
                "authorization",
                "\(Self.algorithm) Credential=\(credentials.accessKey)/\(scope(time)), SignedHeaders=\(names), "
                    + "Signature=\(signature)"
            )
        )
    }

    /// The query of a request that needs no header but `Host`, percent-encoded. Covers no payload.
    ///
    /// - Parameter seconds: how long the engine takes the request, 1 to 604800.
    func presign(
        _ request: SignableRequest,
        _ credentials: Credentials,
        lifetime seconds: Int,
        at unixSeconds: Int
    ) -> String {
        let time = timestamp(unixSeconds)
        let headers = Self.canonicalHeaders(request.headers).filter { $0.name == "host" }
        let names = "host"
        var request = request
        request.query += [
            ("X-Amz-Algorithm", Self.algorithm),
            ("X-Amz-Credential", "\(credentials.accessKey)/\(scope(time))"),
            ("X-Amz-Date", time),
            ("X-Amz-Expires", String(seconds)),
            ("X-Amz-SignedHeaders", names),
        ]
        if let token = credentials.sessionToken { request.query.append(("X-Amz-Security-Token", token)) }
        let query = request.canonicalQuery
        let signature = signature(request, query, headers, names, Self.unsignedPayload, credentials, time)
        return "\(query)&X-Amz-Signature=\(signature)"
    }

    /// Names in lower case, sorted; values without white space around them and with one space for several; those of one
    /// name joined by commas.
    private static func canonicalHeaders(_ headers: [(name: String, value: String)]) -> [(name: String, value: String)]
    {
        var canonical: [(name: String, value: String)] = []
        for (name, value) in headers {
            let name = name.lowercased()
            guard !unsignedHeaders.contains(name) else { continue }
            let value = value.utf8.split { $0 == 0x20 || $0 == 0x09 }.map { String(Substring($0)) }.joined(
                separator: " "
            )
            if let index = canonical.firstIndex(where: { $0.name == name }) {
                canonical[index].value += "," + value
            } else {
                canonical.append((name, value))
            }
        }
        return canonical.sorted { $0.name < $1.name }
    }

    private func signature(
        _ request: SignableRequest,
        _ query: String,
        _ headers: [(name: String, value: String)],
        _ names: String,
        _ payloadHash: String,
        _ credentials: Credentials,
        _ time: String
    ) -> String {
        var canonical = "\(request.method)\n\(request.path)\n\(query)\n"
        for (name, value) in headers { canonical += "\(name):\(value)\n" }
        canonical += "\n\(names)\n\(payloadHash)"
        let toSign = "\(Self.algorithm)\n\(time)\n\(scope(time))\n\(Digest(of: canonical.utf8).hex)"
        return hexDigits(code(toSign, key(credentials.secretKey, String(time.prefix(8)))))
    }

    private func scope(_ time: String) -> String {
        "\(time.prefix(8))/\(region)/\(service)/aws4_request"
    }

    /// Not remembered for a day: it takes 6 µs, where a request takes milliseconds.
    private func key(_ secret: String, _ day: String) -> SymmetricKey {
        var key = SymmetricKey(data: Array("AWS4\(secret)".utf8))
        for part in [day, region, service, "aws4_request"] { key = SymmetricKey(data: code(part, key)) }
        return key
    }

    private func code(_ text: String, _ key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
    }
}
