import Logging

/// Looks for credentials where the AWS tools look, in their order: environment, shared files, a container's endpoint, an
/// instance's metadata service.
struct CredentialsChain: Sendable {
    let environment: AWSEnvironment
    let http: SimpleHTTP

    /// What was found, and what tells that it may have changed.
    struct Found: Sendable {
        let credentials: Credentials
        /// The files that they are from, and how these were before they were read; `nil` when they are from elsewhere.
        let files: (SharedFiles, stamp: [FileStamp?])?
    }

    func find() throws -> Found {
        let variables = Variables(environment)
        if let credentials = try Self.environment(variables) { return Found(credentials: credentials, files: nil) }
        let files = SharedFiles(variables)
        let stamp = files.stamp
        if let credentials = try files.profile()?.credentials() {
            return Found(credentials: credentials, files: (files, stamp))
        }
        // The tools would take this role before that of the machine.
        if variables["AWS_WEB_IDENTITY_TOKEN_FILE"] != nil {
            throw CredentialsError(
                "AWS_WEB_IDENTITY_TOKEN_FILE is set, which is not supported: expected EKS Pod Identity, or keys"
            )
        }
        if let container = try ContainerCredentials(variables) {
            return Found(credentials: try container.credentials(http), files: nil)
        }
        let missing =
            "no credentials: AWS_ACCESS_KEY_ID is not set, profile '\(files.profileName)' has none in "
            + "\(files.description), no container's endpoint is set, "
        guard let instance = try InstanceCredentials(variables) else {
            throw CredentialsError(missing + "and the instance's metadata service is not to be asked")
        }
        do {
            return Found(credentials: try instance.credentials(http), files: nil)
        } catch let error as CredentialsError {
            throw CredentialsError("\(missing)and \(error)", mayPass: error.mayPass)
        }
    }

    private static func environment(_ variables: Variables) throws -> Credentials? {
        let key = variables.bytes("AWS_ACCESS_KEY_ID"), secret = variables.bytes("AWS_SECRET_ACCESS_KEY")
        guard key != nil || secret != nil else { return nil }
        return try Credentials(
            accessKey: ("AWS_ACCESS_KEY_ID", key),
            secretKey: ("AWS_SECRET_ACCESS_KEY", secret),
            sessionToken: ("AWS_SESSION_TOKEN", variables.bytes("AWS_SESSION_TOKEN"))
        )
    }
}
