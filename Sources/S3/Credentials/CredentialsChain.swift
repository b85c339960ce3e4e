/// Looks for credentials where the AWS tools look, in their order: environment, shared files, a container's endpoint, an
/// instance's metadata service.
struct CredentialsChain: Sendable {
    let environment: AWSEnvironment
    let http: SimpleHTTP

    /// What was found, and what tells that it may have changed.
    struct Found: Sendable {
        let credentials: Credentials
        /// The files that they are from, and how these were before they were read; `nil` when they are from elsewhere.
        var files: (SharedFiles, stamp: [[Int]?])?
    }

    func find() throws -> Found {
        let variables = Variables(environment)
        let names = (key: "AWS_ACCESS_KEY_ID", secret: "AWS_SECRET_ACCESS_KEY", token: "AWS_SESSION_TOKEN")
        if let credentials = try Credentials.written(names, "", { variables[$0].map { Array($0.utf8) } }) {
            return Found(credentials: credentials)
        }
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
        if let credentials = try ofContainer(variables) { return Found(credentials: credentials) }
        do {
            return Found(credentials: try ofInstance(variables))
        } catch let error as CredentialsError {
            throw CredentialsError(
                "no credentials: AWS_ACCESS_KEY_ID is not set, profile '\(files.profileName)' has none in "
                    + "\(files.description), no container's endpoint is set, and \(error)",
                mayPass: error.mayPass
            )
        }
    }
}
