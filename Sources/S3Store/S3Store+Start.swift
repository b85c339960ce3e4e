import Logging
import S3
import Storage

extension S3Store {
    /// Makes sure that endpoint, region, bucket and credentials are right, and that payloads can be stored and read; the log
    /// says what the engine can do.
    ///
    /// - Throws: ``StoreError`` with code `unavailable` when it may be otherwise a moment later, else `missing`.
    public func checkStart(waiting: Bool) throws {
        try checkBucket(retrying: waiting)
        do {
            try client.probe()
        } catch let error as S3Error {
            guard error.code == .full else { throw StoreError(atStart: error) }
            // What is stored can still be read.
            return logger.error("storage engine full", metadata: ["error": "\(error)"])
        }
        let fields = client.engine.fields.map { ($0.name, Logger.MetadataValue.string($0.value)) }
        logger.notice("what the engine can do", metadata: Dictionary(fields) { $1 })
    }

    /// Makes sure that endpoint, region, bucket and credentials are right.
    ///
    /// - Parameter retrying: whether what may pass is waited for, for some seconds.
    /// - Throws: as ``checkStart(waiting:)``.
    package func checkBucket(retrying: Bool = false) throws {
        do {
            try client.checkBucket(retrying: retrying)
        } catch let error as S3Error {
            throw StoreError(atStart: error)
        }
    }

    /// Makes sure that uploads can be taken in, and that the engine answers, or did two seconds ago.
    public func checkHealth() throws {
        try uploads.checkWritable()
        try uploads.checkSpace(for: 0)
        try health.check { try translating { try client.checkBucket(retrying: false) } }
    }

    /// Removes what crashed uploads have left in the folder of uploads.
    public func tidyUp() throws { try uploads.sweep() }
}

extension StoreError {
    /// What keeps a worker from starting.
    fileprivate init(atStart error: S3Error) {
        // A clock is set some time after a boot.
        let mayPass = error.mayPass || error.code == .clockSkew
        self.init(mayPass ? .unavailable : .missing, error.description)
    }
}
