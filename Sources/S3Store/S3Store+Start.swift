import Logging
import S3
import Storage

extension S3Store {
    /// Checks endpoint, region, bucket and credentials, and whether payloads can be stored and read. Logs the engine's
    /// capabilities.
    ///
    /// - Throws: ``StoreError``, with code `unavailable` if a later try may succeed, otherwise `missing`.
    public func checkStart(waiting: Bool) throws {
        try checkBucket(retrying: waiting)
        do {
            try client.probe()
        } catch let error as S3Error {
            guard error.code == .full else { throw StoreError(atStart: error) }
            // Stored payloads can still be read.
            return logger.error("storage engine full", metadata: ["error": "\(error)"])
        }
        let fields = client.engine.fields.map { ($0.name, Logger.MetadataValue.string($0.value)) }
        logger.notice("engine capabilities", metadata: Dictionary(fields) { $1 })
    }

    /// Checks endpoint, region, bucket and credentials.
    ///
    /// - Parameter retrying: whether to retry temporary failures for some seconds.
    /// - Throws: the errors of ``checkStart(waiting:)``.
    package func checkBucket(retrying: Bool = false) throws {
        do {
            try client.checkBucket(retrying: retrying)
        } catch let error as S3Error {
            throw StoreError(atStart: error)
        }
    }

    /// Checks that the folder for uploads is writable and has space, and that the engine answers or did so within two
    /// seconds.
    public func checkHealth() throws {
        try uploads.checkWritable()
        try uploads.checkSpace(for: 0)
        try health.check { try translating { try client.checkBucket(retrying: false) } }
    }

    /// Deletes the files that crashed uploads left in the folder for uploads.
    public func tidyUp() throws { try uploads.sweep() }
}

extension StoreError {
    /// An error that prevents a worker from starting.
    fileprivate init(atStart error: S3Error) {
        // The clock may not be set until some time after boot.
        let mayPass = error.mayPass || error.code == .clockSkew
        self.init(mayPass ? .unavailable : .missing, error.description)
    }
}
