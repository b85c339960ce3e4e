import EnvironmentFile
import Logging
import PayloadKey
import Storage
import StoreFactory

/// The store in a worker's configuration, not yet opened.
struct ConfiguredStore {
    private let place: StorePlace
    private let variables: Environment
    private var options = StorePlace.Options()

    /// - Parameter variables: environment and configuration file, for the AWS variables.
    /// - Throws: ``ConfigurationError`` if another setting conflicts with the kind of store.
    init(_ settings: Settings, _ variables: Environment) throws {
        guard let text = settings.store.value else { throw ConfigurationError("--store (LPS_STORE) is required") }
        self.variables = variables
        options.uploads = settings.incoming.value.map { ($0, setting: "--incoming") }
        options.webCache = settings.cache.value
        options.reserve = settings.reserve.value
        options.otherFiles = settings.mostOpenFiles
        do {
            place = try StorePlace(parsing: text) { variables[$0] }
        } catch {
            throw ConfigurationError("--store (LPS_STORE): \(error)")
        }
        if place.isBucket { try checkBucket(settings) } else { try checkFolder(text) }
    }

    private func checkFolder(_ text: String) throws {
        guard options.uploads == nil else {
            throw ConfigurationError(
                "--incoming (LPS_INCOMING) is for a store in a bucket; store \(text) has its own folder for uploads"
            )
        }
        guard options.webCache == nil else {
            throw ConfigurationError("--cache (LPS_CACHE) is for a store in a bucket; store \(text) needs no cache")
        }
    }

    private func checkBucket(_ settings: Settings) throws {
        guard options.uploads != nil else {
            throw ConfigurationError(
                "--incoming (LPS_INCOMING) is required with a store in a bucket: the folder for uploads, the web server's "
                    + "client_body_temp_path"
            )
        }
        let (longest, limit) = (settings.maxPayload.value, StorePlace.longestObject)
        guard longest <= limit else {
            throw ConfigurationError(
                "--max-payload (LPS_MAX_PAYLOAD) is \(longest) bytes, a store in a bucket accepts at most \(limit)"
            )
        }
        guard !settings.policy.value.hasQuotas else {
            throw ConfigurationError("the policy (LPS_POLICY) has quotas, which a store in a bucket does not support")
        }
    }

    /// Opens the store. Sends no request to a bucket yet.
    ///
    /// - Parameter quota: returns a namespace's quota in bytes; `nil` for no quota.
    func open(quota: @escaping @Sendable (Namespace) -> UInt64?, _ logger: Logger) throws -> any PayloadStorage {
        var options = options
        options.quota = quota
        return try place.open(options, logger)
    }

    /// The AWS tools' variables that a bucket's store reads, with their values; none for a store on disk.
    var ofAWS: [(name: String, value: String?)] {
        guard place.isBucket else { return [] }
        return [
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
            "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE",
            "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ].map { ($0, variables[$0]) }
    }
}
