import Encoding
import HTTP
import System
import SystemPackage

extension CredentialsChain {
    /// The hosts besides this machine that may receive a container's token unencrypted: the addresses of ECS and EKS.
    private static let plainHosts = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"]

    /// The credentials from the endpoint that Amazon ECS, EKS Pod Identity or a compatible service has set in the
    /// container's environment.
    ///
    /// - Returns: `nil` if the environment names no such endpoint.
    /// - Throws: ``CredentialsError``, also if the endpoint must not receive the container's token.
    func ofContainer(_ variables: Variables) throws -> Credentials? {
        guard let url = try Self.containerURL(variables) else { return nil }
        var headers = [(name: "Accept", value: "application/json")]
        if let token = try Self.containerToken(variables) { headers.append(("Authorization", token)) }
        let service = "the container's credentials endpoint"
        return try Credentials(document: answer(of: service, "GET", url, headers), from: service)
    }

    private static func containerURL(_ variables: Variables) throws -> String? {
        let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", full = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
        if let path = variables[relative] {
            guard path.utf8.first == UInt8(ascii: "/"), isVisible(path.utf8) else {
                throw CredentialsError("\(relative) is '\(printable(path.utf8))', expected a path")
            }
            return "http://169.254.170.2\(path)"
        }
        guard let url = variables[full] else { return nil }
        let expected =
            "expected https://… or http:// with this machine or one of \(plainHosts.joined(separator: ", "))"
        guard let endpoint = Endpoint.split(url)?.endpoint else {
            throw CredentialsError("\(full) is not a valid URL, \(expected)")
        }
        guard endpoint.isTLS || endpoint.isLoopback || plainHosts.contains(endpoint.host) else {
            throw CredentialsError("\(full) has the host '\(endpoint.host)', \(expected)")
        }
        return url
    }

    /// Reads the token each time, because it is replaced while the container runs.
    private static func containerToken(_ variables: Variables) throws -> String? {
        var setting = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
        var token = variables[setting].map { Array($0.utf8) }
        if let path = variables[setting + "_FILE"] {
            setting += "_FILE"
            do {
                token = try readFile(path, limit: Credentials.documentLimit)
            } catch {
                let mayPass = (error as? Errno)?.mayPass ?? false
                throw CredentialsError("read \(path) (\(setting)): \(error)", mayPass: mayPass)
            }
            while token?.last == 0x0A || token?.last == 0x0D { token?.removeLast() }
        }
        guard let token else { return nil }
        // Spaces are allowed, as in "Basic …".
        guard !token.isEmpty, token.count <= Credentials.documentLimit, token.allSatisfy({ (0x20...0x7E).contains($0) })
        else { throw CredentialsError("\(setting) holds no token: expected one line of ASCII") }
        return String(decoding: token, as: UTF8.self)
    }
}
