import Encoding

/// The metadata service of EC2, version 2: it gives an instance the credentials of its role.
struct InstanceCredentials {
    private static let disabled = "AWS_EC2_METADATA_DISABLED"
    private static let endpoint = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
    private static let source = "the instance's metadata service"

    private let origin: String

    /// `nil` when the environment forbids it.
    init?(_ variables: Variables) throws(CredentialsError) {
        guard !variables.isTrue(Self.disabled) else { return nil }
        let isIPv6 = variables["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
        let text = variables[Self.endpoint] ?? (isIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254")
        guard let endpoint = Endpoint(parsing: text) else {
            throw CredentialsError("\(Self.endpoint) is not as expected: http://HOST[:PORT]")
        }
        origin = (endpoint.isTLS ? "https://" : "http://") + endpoint.authority
    }

    func credentials(_ http: SimpleHTTP) throws(CredentialsError) -> Credentials {
        let lifetime = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")]
        let token = try answer(of: Self.source, to: "PUT", "\(origin)/latest/api/token", lifetime, http)
        guard !token.isEmpty, isVisible(token) else {
            throw CredentialsError("\(Self.source) answered no token", mayPass: true)
        }
        let headers = [("x-aws-ec2-metadata-token", String(decoding: token, as: UTF8.self))]
        let roles = "\(origin)/latest/meta-data/iam/security-credentials/"
        let role = try answer(of: Self.source, to: "GET", roles, headers, http).prefix { $0 != 0x0A && $0 != 0x0D }
        // As IAM allows them for roles.
        guard (1...128).contains(role.count), role.allSatisfy({ isLetterOrDigit($0) || "+=,.@-_".utf8.contains($0) })
        else { throw CredentialsError("\(Self.source) names no role: the instance may have none", mayPass: true) }
        let url = roles + PercentEncoding.encodePath(role)
        let document = try answer(of: Self.source, to: "GET", url, headers, http)
        return try Credentials(document: document, from: Self.source)
    }
}
