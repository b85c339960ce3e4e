import Encoding
import System
import SystemPackage

/// The endpoint that gives a container its credentials: of Amazon ECS, of EKS Pod Identity, or of what acts as one.
struct ContainerCredentials {
    /// Where unencrypted requests may go besides to this machine: ECS's and EKS's addresses.
    private static let plainHosts = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"]
    private static let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
    private static let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    private static let token = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
    private static let tokenFile = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"

    private let url: String
    private let variables: Variables

    /// `nil` when the environment names no such endpoint.
    ///
    /// - Throws: ``CredentialsError`` for an endpoint that must not get the container's token.
    init?(_ variables: Variables) throws(CredentialsError) {
        self.variables = variables
        if let path = variables[Self.relative] {
            guard path.utf8.first == UInt8(ascii: "/"), isVisible(path.utf8) else {
                throw CredentialsError("\(Self.relative) is '\(printable(path.utf8))', expected a path")
            }
            url = "http://169.254.170.2\(path)"
        } else if let url = variables[Self.full] {
            self.url = url
            try Self.check(url)
        } else {
            return nil
        }
    }

    func credentials(_ http: SimpleHTTP) throws(CredentialsError) -> Credentials {
        var headers: [(String, String)] = [("Accept", "application/json")]
        if let token = try authorization() { headers.append(("Authorization", token)) }
        let source = "the container's credentials endpoint"
        let document = try answer(of: source, to: "GET", url, headers, http)
        return try Credentials(document: document, from: source)
    }

    private static func check(_ url: String) throws(CredentialsError) {
        let expected =
            "expected https://… or http:// with this machine or one of \(plainHosts.joined(separator: ", "))"
        guard isVisible(url.utf8), let (isTLS, rest) = Endpoint.split(Array(url.utf8)),
            let endpoint = Endpoint(isTLS: isTLS, authority: rest.prefix { !"/?#".utf8.contains($0) })
        else { throw CredentialsError("\(full) is not a URL as it is known here, \(expected)") }
        guard isTLS || endpoint.isLoopback || plainHosts.contains(endpoint.host) else {
            throw CredentialsError("\(full) has the host '\(endpoint.host)', \(expected)")
        }
    }

    /// Read anew each time: it is replaced while the container runs.
    private func authorization() throws(CredentialsError) -> String? {
        var name = Self.token
        var text = variables[name].map { Array($0.utf8) }
        if let path = variables[Self.tokenFile] {
            name = Self.tokenFile
            do {
                text = try readFile(path, limit: Credentials.documentLimit)
            } catch {
                let mayPass = (error as? Errno)?.mayPass ?? false
                throw CredentialsError("read \(path) (\(name)): \(error)", mayPass: mayPass)
            }
            while text?.last == 0x0A || text?.last == 0x0D { text?.removeLast() }
        }
        guard let text else { return nil }
        // "Basic …", for one, has a space.
        guard !text.isEmpty, text.count <= Credentials.documentLimit, text.allSatisfy({ (0x20...0x7E).contains($0) })
        else { throw CredentialsError("\(name) holds no token: expected one line of ASCII") }
        return String(decoding: text, as: UTF8.self)
    }
}
