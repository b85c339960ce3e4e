import Logging
import PayloadKey
import Storage
import S3

/// Payloads in a bucket of an engine that speaks the S3 API: one object for each key, whose name is the key, byte for
/// byte, behind the location's prefix.
///
/// Uploads are taken in and verified on this machine's disk, and are the engine's before they are answered. Any number of
/// processes, on any number of machines, may use one bucket at once; nothing is shared between them but the bucket.
public final class S3Store: PayloadStorage {
    /// Takes uploads in, on this machine's disk.
    public let uploads: UploadFolder
    private let engine: S3Client
    var client: S3Client { engine.until(S3Deadline.current) }
    let known = ObjectCache()
    let webCache: WebCache?
    private let health = EngineHealth()
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
        engine = client
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

    /// Makes sure that endpoint, region, bucket and credentials are right.
    ///
    /// - Parameter retrying: whether what may pass is waited for, for some seconds.
    /// - Throws: ``StoreError`` with code `unavailable` when it may be otherwise a moment later, else `missing`.
    public func checkBucket(retrying: Bool = false) throws(StoreError) {
        do {
            try client.checkBucket(retrying: retrying)
        } catch {
            throw StoreError(atStart: error)
        }
    }

    /// Makes sure that payloads can be stored and read, and finds out what the engine can do; the log tells.
    ///
    /// - Throws: ``StoreError``, as ``checkBucket(retrying:)``.
    public func probe() throws(StoreError) {
        do {
            try client.probe()
        } catch {
            guard error.code == .full else { throw StoreError(atStart: error) }
            // What is stored can still be read.
            return logger.error("the engine of the store is full", metadata: ["error": "\(error)"])
        }
        let fields = client.engine.fields.map { ($0.name, Logger.MetadataValue.string($0.value)) }
        logger.notice("what the engine can do", metadata: Dictionary(fields) { $1 })
    }

    /// Makes sure that uploads can be taken in, and that the engine answers, or did two seconds ago.
    ///
    /// - Throws: ``StoreError``.
    public func checkHealth() throws(StoreError) {
        try uploads.checkWritable()
        try uploads.checkSpace(for: 0)
        try health.check { () throws(StoreError) in
            try translating { () throws(S3Error) in try client.checkBucket(retrying: false) }
        }
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

    /// What keeps a worker from starting.
    fileprivate init(atStart error: S3Error) {
        // A clock is set some time after a boot.
        let mayPass = error.mayPass || error.code == .clockSkew
        self.init(mayPass ? .unavailable : .missing, error.description)
    }
}

/// Runs `work`, and throws the engine's failures as the store's.
func translating<Result>(_ work: () throws(S3Error) -> Result) throws(StoreError) -> Result {
    do throws(S3Error) {
        return try work()
    } catch {
        throw StoreError(error)
    }
}
