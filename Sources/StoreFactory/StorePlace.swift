import DiskStore
import Logging
import PayloadKey
import S3
import S3Store
import Storage

/// A store's location, as operators write it: a folder's path, or `s3://BUCKET[/PREFIX]?endpoint=…&region=…`.
public enum StorePlace: Sendable {
    /// A folder created by `lps init`.
    case folder(String)
    /// A bucket, and the environment that its credentials come from.
    case bucket(S3Location, environment: @Sendable (String) -> String?)

    /// Options for opening a store.
    public struct Options: Sendable {
        /// The folder that buffers uploads to a bucket, and the setting that names it, for errors. A store on disk has its
        /// own.
        public var uploads: (path: String, setting: String)?
        /// The folder where the web server caches payloads from a bucket; `nil` to not check its disk.
        public var webCache: String?
        /// The reserve, in bytes; `nil` for 1 GiB or 5 % of the file system, whichever is smaller.
        public var reserve: UInt64?
        /// Returns a namespace's quota, in bytes; `nil` for no limit. A bucket has no quotas.
        public var quota: @Sendable (Namespace) -> UInt64? = { _ in nil }
        /// The maximum number of files that this process has open at once, besides the folders of a store on disk.
        public var otherFiles = 256
        /// Whether an operator's command opens the store: it checks a bucket at once, and waits longer for locks and for counts
        /// of namespaces than a request does.
        public var isForCommand = false

        /// Creates the options for serving requests.
        public init() {}
    }

    /// The largest object that an engine accepts in one request, in bytes (AWS, PutObject).
    public static let longestObject: UInt64 = 5 << 30

    /// Parses a location.
    ///
    /// - Parameter environment: Returns the value of an environment variable, for those of AWS.
    /// - Throws: An error that describes in one line why a bucket's URL is invalid.
    public init(parsing text: String, environment: @escaping @Sendable (String) -> String?) throws {
        self =
            S3Location.isMeant(by: text)
            ? .bucket(try S3Location(parsing: text, environment: environment), environment: environment)
            : .folder(text)
    }

    /// Whether the store is in a bucket.
    public var isBucket: Bool {
        if case .bucket = self { true } else { false }
    }

    /// Opens the store.
    ///
    /// - Throws: ``StoreError`` when the store is missing or unusable.
    public func open(_ options: Options, _ logger: Logger) throws -> any PayloadStorage {
        switch self {
        case .folder(let path):
            return try DiskStore(
                path: path,
                reserve: options.reserve,
                quota: options.quota,
                otherFiles: options.otherFiles,
                patience: options.isForCommand ? DiskStore.commandPatience : DiskStore.requestPatience,
                waitsForCounts: options.isForCommand,
                logger: logger
            )
        case .bucket(let location, let environment):
            guard let uploads = options.uploads else {
                throw StoreError(.missing, "a store in a bucket needs a folder for uploads")
            }
            let folder = try UploadFolder(
                path: uploads.path,
                reserve: options.reserve,
                setting: uploads.setting,
                logger: logger
            )
            let client = S3Client(location, environment: environment, logger: logger)
            let store = S3Store(client, uploads: folder, webCache: options.webCache, logger: logger)
            if options.isForCommand { try store.checkBucket() }
            return store
        }
    }
}
