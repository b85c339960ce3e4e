import Encoding

/// The metadata service of EC2, version 2: it gives an instance the credentials of its role.
struct InstanceCredentials {
    private static let setting = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
    private let origin: String

    /// `nil` when the environment forbids it.
    init?(_ variables: Variables) throws {
        guard !variables.isTrue("AWS_EC2_METADATA_DISABLED") else { return nil }
        let isIPv6 = variables["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
        let text = variables[Self.setting] ?? (isIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254")
        guard let endpoint = Endpoint(parsing: text) else {
            throw CredentialsError("\(Self.setting) is not as expected: http://HOST[:PORT]")
        }
        origin = endpoint.origin
    }

    func credentials(_ http: @escaping SimpleHTTP) throws -> Credentials {
        let service = CredentialsEndpoint(name: "the instance's metadata service", http: http)
        let lifetime = [(name: "x-aws-ec2-metadata-token-ttl-seconds", value: "21600")]
        let token = try service.answer("PUT", "\(origin)/latest/api/token", lifetime)
        guard !token.isEmpty, isVisible(token) else {
            throw CredentialsError("\(service.name) answered no token", mayPass: true)
        }
        let headers = [(name: "x-aws-ec2-metadata-token", value: String(decoding: token, as: UTF8.self))]
        let roles = "\(origin)/latest/meta-data/iam/security-credentials/"
        let role = try service.answer("GET", roles, headers).prefix { $0 != 0x0A && $0 != 0x0D }
        // As IAM allows them for roles.
        guard (1...128).contains(role.count), role.allSatisfy({ isLetterOrDigit($0) || "+=,.@-_".utf8.contains($0) })
        else { throw CredentialsError("\(service.name) names no role: the instance may have none", mayPass: true) }
        return try service.credentials(roles + PercentEncoding.encodePath(role), headers)
    }
}
