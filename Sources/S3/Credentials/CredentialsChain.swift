/// Searches for credentials in the order of the AWS tools: environment, shared files, a container's endpoint, an
/// instance's metadata service.
struct CredentialsChain: Sendable {
    let environment: AWSEnvironment
    let http: SimpleHTTP

    /// Credentials, and how to detect that they may have changed.
    struct Found: Sendable {
        let credentials: Credentials
        /// The files they came from, and the files' stamp before they were read; `nil` for other sources.
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
        // The AWS tools prefer this role to the machine's.
        if variables["AWS_WEB_IDENTITY_TOKEN_FILE"] != nil {
            throw CredentialsError(
                "AWS_WEB_IDENTITY_TOKEN_FILE is set, which is not supported: use EKS Pod Identity or keys"
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
