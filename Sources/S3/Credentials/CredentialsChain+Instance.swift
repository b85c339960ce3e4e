import Encoding
import HTTP

extension CredentialsChain {
    /// The credentials of an EC2 instance's role, from the metadata service, version 2.
    ///
    /// - Throws: ``CredentialsError``, also if the environment disables the service.
    func ofInstance(_ variables: Variables) throws -> Credentials {
        let service = "the instance's metadata service"
        guard !variables.isTrue("AWS_EC2_METADATA_DISABLED") else {
            throw CredentialsError("\(service) is disabled (AWS_EC2_METADATA_DISABLED)")
        }
        let setting = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
        let isIPv6 = variables["\(setting)_MODE"]?.lowercased() == "ipv6"
        let text = variables[setting] ?? (isIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254")
        guard let origin = Endpoint(parsing: text)?.origin else {
            throw CredentialsError("\(setting) is invalid, expected http://HOST[:PORT]")
        }
        let lifetime = [(name: "x-aws-ec2-metadata-token-ttl-seconds", value: "21600")]
        let token = try answer(of: service, "PUT", "\(origin)/latest/api/token", lifetime)
        guard !token.isEmpty, isVisible(token) else {
            throw CredentialsError("\(service) answered no token", mayPass: true)
        }
        let headers = [(name: "x-aws-ec2-metadata-token", value: String(decoding: token, as: UTF8.self))]
        let roles = "\(origin)/latest/meta-data/iam/security-credentials/"
        let role = try answer(of: service, "GET", roles, headers).prefix { $0 != 0x0A && $0 != 0x0D }
        // The names that IAM allows for roles.
        guard (1...128).contains(role.count), isMade(role, with: "+=,.@-_") else {
            throw CredentialsError("\(service) names no role: the instance may have none", mayPass: true)
        }
        let document = try answer(of: service, "GET", roles + PercentEncoding.encodePath(role), headers)
        return try Credentials(document: document, from: service)
    }
}
