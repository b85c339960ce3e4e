import Encoding
import System
import SystemPackage

/// The endpoint that gives a container its credentials: of Amazon ECS, of EKS Pod Identity, or of what acts as one.
struct ContainerCredentials {
    /// Where unencrypted requests may go besides to this machine: ECS's and EKS's addresses.
    private static let plainHosts = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"]

    private let url: String
    private let variables: Variables

    /// `nil` when the environment names no such endpoint.
    ///
    /// - Throws: ``CredentialsError`` for an endpoint that must not get the container's token.
    init?(_ variables: Variables) throws {
        let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
        self.variables = variables
        if let path = variables[relative] {
            guard path.utf8.first == UInt8(ascii: "/"), isVisible(path.utf8) else {
                throw CredentialsError("\(relative) is '\(printable(path.utf8))', expected a path")
            }
            url = "http://169.254.170.2\(path)"
        } else if let url = variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] {
            try Self.check(url, "AWS_CONTAINER_CREDENTIALS_FULL_URI")
            self.url = url
        } else {
            return nil
        }
    }

    func credentials(_ http: @escaping SimpleHTTP) throws -> Credentials {
        var headers = [(name: "Accept", value: "application/json")]
        if let token = try token() { headers.append(("Authorization", token)) }
        let endpoint = CredentialsEndpoint(name: "the container's credentials endpoint", http: http)
        return try endpoint.credentials(url, headers)
    }

    private static func check(_ url: String, _ setting: String) throws {
        let expected =
            "expected https://… or http:// with this machine or one of \(plainHosts.joined(separator: ", "))"
        guard isVisible(url.utf8), let (isTLS, rest) = Endpoint.split(Array(url.utf8)),
            let endpoint = Endpoint(isTLS: isTLS, authority: rest.prefix { !"/?#".utf8.contains($0) })
        else { throw CredentialsError("\(setting) is not a URL as it is known here, \(expected)") }
        guard isTLS || endpoint.isLoopback || plainHosts.contains(endpoint.host) else {
            throw CredentialsError("\(setting) has the host '\(endpoint.host)', \(expected)")
        }
    }

    /// Read again each time: it is replaced while the container runs.
    private func token() throws -> String? {
        var setting = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
        var token = variables.bytes(setting)
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
        // "Basic …", for one, has a space.
        guard !token.isEmpty, token.count <= Credentials.documentLimit, token.allSatisfy({ (0x20...0x7E).contains($0) })
        else { throw CredentialsError("\(setting) holds no token: expected one line of ASCII") }
        return String(decoding: token, as: UTF8.self)
    }
}
