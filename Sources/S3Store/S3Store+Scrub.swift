import PayloadKey
import Storage
import S3

extension S3Store {
    /// Reads every payload, and moves what is damaged out of the way, while uploads and downloads go on.
    ///
    /// A damaged payload's object is copied to `quarantine/` (``quarantineKey(_:)``), and deleted: its key answers 404 from
    /// then on, and the next upload of the payload heals it.
    ///
    /// - Parameters:
    ///   - pace: called after so many bytes were read; may take its time.
    ///   - report: called with each finding: damaged payloads, payloads that the engine does not give back, and objects that
    ///     are no payload's.
    public func scrub(
        _ scope: ScrubScope,
        pace: (_ bytes: Int) -> Void,
        report: (Finding) throws -> Void
    ) throws -> Scrubbed {
        var read = Scrubbed()
        func stray(_ name: String) throws { try report(Finding(.stray, name, "is no payload's")) }
        try forEachKey(in: KeySelection(), stray: stray) { stored in
            do {
                let reason = try whatIsWrong(with: stored) { bytes in
                    read.bytes += UInt64(bytes)
                    pace(bytes)
                }
                read.files += 1
                guard let reason else { return }
                try report(try quarantine(stored, reason))
            } catch let error as StoreError {
                // When the engine is well, it is this object that it does not give.
                try checkBucket()
                try report(Finding(.unreadable, stored.path, error.description))
            }
        }
        return read
    }

    /// The bytes of all payloads: a bucket keeps no record of scrubs.
    public func contentToScrub(_ scope: ScrubScope) throws -> UInt64 {
        var bytes: UInt64 = 0
        try forEachKey { bytes += $0.size ?? 0 }
        return bytes
    }

    /// The key of the object that keeps a damaged payload.
    static func quarantineKey(_ key: PayloadKey) -> [UInt8] {
        Array("/quarantine".utf8) + key.utf8.dropFirst("/blobs".utf8.count)
    }

    /// What is wrong with a payload, also at a second look; `nil` when nothing is, or it is gone.
    private func whatIsWrong(with stored: StoredKey, _ pace: (Int) -> Void) throws -> String? {
        try look(at: stored, pace) == nil ? nil : look(at: stored, pace)
    }

    private func look(at stored: StoredKey, _ pace: (Int) -> Void) throws -> String? {
        let found = try translating { try client.status(of: stored.object) }
        guard let found else { return nil }
        var hasher = DigestHasher()
        do {
            try client.read(stored.object, 0..<found.size) { piece in
                hasher.update(piece)
                pace(piece.count)
            }
        } catch let error as S3Error {
            if error.code == .noSuchKey { return nil }
            throw StoreError(error)
        }
        let actual = hasher.finalize()
        return actual == stored.key.digest ? nil : "its \(found.size) bytes have digest \(actual)"
    }

    private func quarantine(_ stored: StoredKey, _ reason: String) throws -> Finding {
        let target = client.location.objectKey(of: Self.quarantineKey(stored.key))
        let place = String(decoding: target, as: UTF8.self)
        let isCopied = try translating { try client.copy(stored.object, to: target) }
        // An upload may have healed it meanwhile: copying takes its time.
        guard isCopied, try look(at: stored, { _ in }) != nil else { return Finding(.damaged, stored.path, reason) }
        do {
            try delete(stored)
        } catch let error as StoreError where !error.concernsWholeStore {
            return Finding(.damaged, stored.path, reason, .failed(error))
        }
        let damage = Damage(digest: stored.key.digest, quarantine: place, keys: [stored.key], trashed: [])
        return Finding(.damaged, stored.path, reason, .mended("moved to \(place)"), damage: damage)
    }
}
