import Logging
import PayloadKey
import Storage
import StoreFactory

/// The store that a worker's configuration names.
struct ConfiguredStore {
    /// As the operator wrote it.
    let text: String
    /// The folder of uploads, where it is not the store's own.
    let incoming: String?
    /// The folder of the web server's cache, with a bucket.
    let cache: String?
    private let place: StorePlace
    private let environment: @Sendable (String) -> String?

    /// - Parameter environment: the value of a variable, for AWS's.
    init(
        _ text: String,
        incoming: String?,
        cache: String?,
        environment: @escaping @Sendable (String) -> String?
    ) throws {
        self.text = text
        self.incoming = incoming
        self.cache = cache
        self.environment = environment
        do {
            place = try StorePlace(parsing: text, environment: environment)
        } catch {
            throw ConfigurationError("--store (LPS_STORE): \(error)")
        }
        guard place.isBucket else {
            guard incoming == nil else {
                throw ConfigurationError(
                    "--incoming (LPS_INCOMING) is for a store in a bucket; store \(text) has its own folder of uploads"
                )
            }
            guard cache == nil else {
                throw ConfigurationError("--cache (LPS_CACHE) is for a store in a bucket; store \(text) needs no cache")
            }
            return
        }
        guard incoming != nil else {
            throw ConfigurationError(
                "--incoming (LPS_INCOMING) is required with a store in a bucket: the folder of uploads, the web server's "
                    + "client_body_temp_path"
            )
        }
    }

    /// Makes sure that the other settings can be met.
    func check(_ settings: Settings) throws {
        guard place.isBucket else { return }
        guard settings.maxPayload.value <= StorePlace.longestObject else {
            throw ConfigurationError(
                "--max-payload (LPS_MAX_PAYLOAD) is \(settings.maxPayload.value) bytes, a store in a bucket takes up to "
                    + "\(StorePlace.longestObject)"
            )
        }
        guard settings.policy.value.allRules.allSatisfy({ $0.quota == nil }) else {
            throw ConfigurationError("the policy (LPS_POLICY) has quotas, which a store in a bucket can't keep")
        }
    }

    /// Opens the store; a bucket is not asked yet.
    ///
    /// - Parameter otherFiles: the most files that the worker has open at once besides the folders of a store on disk.
    func open(
        reserve: UInt64?,
        otherFiles: Int,
        quota: @escaping @Sendable (Namespace) -> UInt64?,
        _ logger: Logger
    ) throws -> any PayloadStorage {
        var options = StorePlace.Options()
        options.uploads = incoming.map { ($0, setting: "--incoming") }
        options.webCache = cache
        options.reserve = reserve
        options.quota = quota
        options.otherFiles = otherFiles
        return try place.open(options, logger)
    }

    /// The settings of a bucket's that are the AWS tools', with their values.
    var ofAWS: [(name: String, value: String?)] {
        guard place.isBucket else { return [] }
        return [
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
            "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE",
            "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ].map { ($0, environment($0)) }
    }
}
