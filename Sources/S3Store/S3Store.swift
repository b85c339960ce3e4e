import Logging
import PayloadKey
import Storage
import S3
import SystemPackage

/// Stores payloads in a bucket of an S3 engine, one object per key. The object's name is the location's prefix followed
/// by the key, byte for byte.
///
/// Uploads are received and verified on this machine's disk, and stored in the engine before they are answered. Any
/// number of processes on any number of machines can use one bucket at the same time; they share only the bucket.
public final class S3Store: PayloadStorage {
    /// Receives uploads on this machine's disk.
    public let uploads: UploadFolder
    let client: S3Client
    let known = ObjectCache()
    let webCache: WebCache?
    let health = EngineHealth()
    let logger: Logger

    /// Makes a store without contacting the engine.
    ///
    /// - Parameters:
    ///   - client: the bucket's client.
    ///   - uploads: the folder that receives uploads.
    ///   - webCache: the folder of the web server's cache; `nil` disables the check of its free space.
    ///   - logger: receives messages for the operator.
    public init(_ client: S3Client, uploads: UploadFolder, webCache: String? = nil, logger: Logger) {
        self.client = client
        self.uploads = uploads
        self.webCache = webCache.map { WebCache(folder: $0, kernel: uploads.descriptor.kernel) }
        self.logger = logger
    }

    /// The bucket with its prefix and host, for messages.
    public var name: String {
        let location = client.location
        let prefix = location.prefix.isEmpty ? "" : "/\(String(decoding: location.prefix, as: UTF8.self))"
        return "s3://\(location.bucket)\(prefix) at \(location.host)"
    }

    /// Does nothing: a bucket has no quotas.
    public func checkQuota(for bytes: UInt64, as key: PayloadKey) {}

    func objectKey(_ key: PayloadKey) -> [UInt8] { client.location.objectKey(of: key.utf8) }
}

extension StoreError {
    /// Converts an engine's failure. Apart from a lack of space, every failure means `unavailable`, even if it lasts
    /// until someone fixes the cause, because it says nothing about a payload.
    init(_ error: S3Error) {
        self.init(error.code == .full ? .engineFull : .unavailable, error.description)
    }
}

/// Runs `work`, and converts failures of the engine and of reading the upload into `StoreError`.
func translating<Value>(_ work: () throws -> Value) throws -> Value {
    do {
        return try work()
    } catch let error as S3Error {
        throw StoreError(error)
    } catch let error as Errno {
        throw StoreError(.system, "read upload", errno: error)
    }
}
