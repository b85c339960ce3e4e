import Glibc
import PayloadKey
import Storage
import S3
import SystemPackage

extension S3Store {
    /// Seconds from which on an object's age is renewed when its payload is stored again: lifecycle rules and `lps gc` count
    /// whole days.
    package static let renewalAge = 24 * 60 * 60
    /// Bytes from which on the engine is asked for an object before it is sent one.
    static let worthAsking: UInt64 = 1 << 20

    /// Sends a verified upload to the engine, unless it is there; then it counts from now, if it is older than a day.
    ///
    /// - Throws: ``StoreError``, or what `onPiece` throws.
    public func commit(
        _ upload: VerifiedUpload,
        as key: PayloadKey,
        onPiece: () throws -> Void
    ) throws -> CommitOutcome {
        precondition(upload.digest == key.digest, "an upload is committed under its own digest")
        let object = objectKey(key)
        let outcome = try storeOrRenew(upload, key, object, onPiece)
        known[key] = ObjectCache.Entry(size: upload.size, object: object)
        return outcome
    }

    private func storeOrRenew(
        _ upload: VerifiedUpload,
        _ key: PayloadKey,
        _ object: [UInt8],
        _ onPiece: () throws -> Void
    ) throws -> CommitOutcome {
        if upload.size >= Self.worthAsking || client.engine.mustAskFirst, let present = try status(of: object) {
            return try renew(present, key, with: upload, onPiece)
        }
        if try put(upload, object, onlyIfAbsent: true, onPiece) == .stored { return .created }
        if let present = try status(of: object) { return try renew(present, key, with: upload, onPiece) }
        // Deleted between the two requests.
        _ = try put(upload, object, onlyIfAbsent: false, onPiece)
        return .created
    }

    /// Makes sure that an object that is there is the upload's, and that its age counts from now.
    private func renew(
        _ present: S3Object,
        _ key: PayloadKey,
        with upload: VerifiedUpload,
        _ onPiece: () throws -> Void
    ) throws -> CommitOutcome {
        guard present.size == upload.size else {
            logger.error(
                "an object has the wrong size, and is replaced by a verified upload",
                metadata: ["key": "\(key)", "size": "\(present.size)", "expected": "\(upload.size)"]
            )
            _ = try put(upload, present.key, onlyIfAbsent: false, onPiece)
            return .existed
        }
        guard time(nil) - present.lastModified > Self.renewalAge else { return .existed }
        if try !isRenewed(present) { _ = try put(upload, present.key, onlyIfAbsent: false, onPiece) }
        return .existed
    }

    /// - Returns: false when the object is gone, or can't be copied: it is in an archive, or the credentials don't allow it.
    private func isRenewed(_ present: S3Object) throws(StoreError) -> Bool {
        guard client.engine.copies else { return false }
        do {
            return try client.renew(present.key)
        } catch {
            guard error.mayPass else { return false }
            throw StoreError(error)
        }
    }

    private func status(of object: [UInt8]) throws(StoreError) -> S3Object? {
        try translating { () throws(S3Error) in try client.status(of: object) }
    }

    private func put(
        _ upload: VerifiedUpload,
        _ object: [UInt8],
        onlyIfAbsent: Bool,
        _ onPiece: () throws -> Void
    ) throws -> S3Client.PutOutcome {
        do {
            return try client.put(
                object,
                from: upload.fileDescriptor,
                size: upload.size,
                digest: Array(upload.digest.bytes),
                onlyIfAbsent: onlyIfAbsent,
                onPiece: onPiece
            )
        } catch let error as S3Error {
            throw StoreError(error)
        } catch let error as Errno {
            throw StoreError(.system, "read upload", errno: error)
        }
    }
}
