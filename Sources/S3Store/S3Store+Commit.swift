import Glibc
import HTTP
import PayloadKey
import S3
import Storage

extension S3Store {
    /// The age in seconds from which storing a payload again renews its object: lifecycle rules and `lps gc` count
    /// whole days.
    static let renewalAge = 24 * 60 * 60
    /// The size in bytes from which a HEAD precedes an upload.
    static let worthAsking: UInt64 = 1 << 20

    /// Sends a verified upload to the engine, unless the object exists. Renews the age of an existing object that is
    /// older than a day.
    public func commit(
        _ upload: VerifiedUpload,
        as key: PayloadKey,
        until deadline: ContinuousClock.Instant?,
        onPiece: () throws -> Void
    ) throws -> CommitOutcome {
        precondition(upload.digest == key.digest, "an upload is committed under its own digest")
        let client = client.until(deadline)
        let object = objectKey(key)
        func put(_ object: [UInt8], onlyIfAbsent: Bool) throws -> S3Client.PutOutcome {
            try client.put(
                object,
                .file(upload.fileDescriptor, size: upload.size),
                digest: Array(upload.digest.bytes),
                onlyIfAbsent: onlyIfAbsent,
                onPiece: onPiece
            )
        }
        let outcome = try translating { () -> CommitOutcome in
            var present: S3Object?
            if upload.size >= Self.worthAsking || client.engine.mustAskFirst {
                present = try client.status(of: object)
            }
            if present == nil {
                if try put(object, onlyIfAbsent: true) == .stored { return .created }
                present = try client.status(of: object)
            }
            guard let present else {
                // The object was deleted between the two requests.
                _ = try put(object, onlyIfAbsent: false)
                return .created
            }
            if try !isCurrent(present, for: upload, key, client) {
                _ = try put(present.key, onlyIfAbsent: false)
            }
            return .existed
        }
        known[key] = ObjectCache.Entry(size: upload.size, object: object)
        return outcome
    }

    /// Whether an existing object has the upload's size and is younger than a day. Renews an older object if the engine
    /// can copy it.
    private func isCurrent(
        _ present: S3Object,
        for upload: VerifiedUpload,
        _ key: PayloadKey,
        _ client: S3Client
    ) throws -> Bool {
        guard present.size == upload.size else {
            logger.error(
                "object has the wrong size, replacing it with a verified upload",
                metadata: ["key": "\(key)", "size": "\(present.size)", "expected": "\(upload.size)"]
            )
            return false
        }
        guard time(nil) - present.lastModified > Self.renewalAge else { return true }
        guard client.engine.copies else { return false }
        do {
            return try client.renew(present.key)
        } catch let error as S3Error {
            guard !error.mayPass else { throw error }
            // The object is archived, or the credentials do not permit a copy.
            return false
        }
    }
}
