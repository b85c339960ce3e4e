import Logging
import PayloadKey
import Storage
import S3
import SystemPackage

/// Payloads in a bucket of an engine that speaks the S3 API: one object for each key, whose name is the key, byte for
/// byte, behind the location's prefix.
///
/// Uploads are taken in and verified on this machine's disk, and are the engine's before they are answered. Any number of
/// processes, on any number of machines, may use one bucket at once; nothing is shared between them but the bucket.
public final class S3Store: PayloadStorage {
    /// Takes uploads in, on this machine's disk.
    public let uploads: UploadFolder
    let client: S3Client
    let known = ObjectCache()
    let webCache: WebCache?
    let health = EngineHealth()
    let logger: Logger

    /// Uses a bucket; asks nothing of it yet.
    ///
    /// - Parameters:
    ///   - client: of the bucket.
    ///   - uploads: where uploads are taken in.
    ///   - webCache: the folder in which the web server keeps what it has read from the engine; `nil` where its disk is not
    ///     to be looked at.
    ///   - logger: where the store tells of what an operator should know.
    public init(_ client: S3Client, uploads: UploadFolder, webCache: String? = nil, logger: Logger) {
        self.client = client
        self.uploads = uploads
        self.webCache = webCache.map { WebCache(folder: $0, kernel: uploads.descriptor.kernel) }
        self.logger = logger
    }

    /// The bucket with its prefix and host.
    public var name: String {
        let location = client.location
        let prefix = location.prefix.isEmpty ? "" : "/\(String(decoding: location.prefix, as: UTF8.self))"
        return "s3://\(location.bucket)\(prefix) at \(location.host)"
    }

    /// A bucket has no quotas.
    public func checkQuota(for bytes: UInt64, as key: PayloadKey) {}

    func objectKey(_ key: PayloadKey) -> [UInt8] { client.location.objectKey(of: key.utf8) }
}

extension StoreError {
    /// What a failure of the engine means for whoever asks the store. Until someone has changed something it may last; but it
    /// is never an answer about a payload.
    init(_ error: S3Error) {
        self.init(error.code == .full ? .engineFull : .unavailable, error.description)
    }
}

/// Runs `work`, and throws the engine's failures as the store's, and those of reading the upload.
func translating<Value>(_ work: () throws -> Value) throws -> Value {
    do {
        return try work()
    } catch let error as S3Error {
        throw StoreError(error)
    } catch let error as Errno {
        throw StoreError(.system, "read upload", errno: error)
    }
}
