import DiskStore
import Logging
import PayloadKey
import S3
import S3Store
import Storage

/// Where a store is, as an operator writes it: a folder's path, or `s3://BUCKET[/PREFIX]?endpoint=…&region=…`.
public enum StorePlace: Sendable {
    /// A folder that `lps init` has made.
    case folder(String)
    /// A bucket.
    case bucket(S3Location, environment: @Sendable (String) -> String?)

    /// How a store is opened.
    public struct Options: Sendable {
        /// The folder where uploads are taken in for a bucket, and the setting that names it, for errors. A store on disk has
        /// its own.
        public var uploads: (path: String, setting: String)?
        /// The folder in which the web server keeps what it has read from a bucket; `nil` where its disk is not looked at.
        public var webCache: String?
        /// Bytes of free space to keep; `nil` for 1 GiB or 5 % of the file system, whichever is smaller.
        public var reserve: UInt64?
        /// The most bytes that a namespace's keys may have in all; `nil` for any number. A bucket has no quotas.
        public var quota: @Sendable (Namespace) -> UInt64? = { _ in nil }
        /// The most files that this process has open at once besides the folders of a store on disk.
        public var otherFiles = 256
        /// Whether it is for an operator's command: a bucket is asked at once, and locks and counts of namespaces are waited
        /// for as long as a person would.
        public var isForCommand = false

        /// What requests want.
        public init() {}
    }

    /// An engine takes no larger object in one request, in bytes (AWS, PutObject).
    public static let longestObject: UInt64 = 5 << 30

    /// Reads a place.
    ///
    /// - Parameter environment: the value of a variable, for AWS's.
    /// - Throws: what is wrong with a bucket's URL, in one line.
    public init(parsing text: String, environment: @escaping @Sendable (String) -> String?) throws {
        self =
            S3Location.isMeant(by: text)
            ? .bucket(try S3Location(parsing: text, environment: environment), environment: environment)
            : .folder(text)
    }

    /// Whether it is a bucket.
    public var isBucket: Bool {
        if case .bucket = self { true } else { false }
    }

    /// Opens the store.
    ///
    /// - Throws: ``StoreError``.
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
                throw StoreError(.missing, "a store in a bucket needs a folder of uploads")
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
