import PayloadKey
import Storage
import S3

extension S3Store {
    /// Reads every payload and quarantines damaged objects, while uploads and downloads continue.
    ///
    /// A damaged object is copied to `quarantine/` (``quarantineKey(_:)``) and deleted. Its key then answers 404 until
    /// the payload is uploaded again.
    ///
    /// - Parameters:
    ///   - pace: called after each read, with the number of bytes; may sleep to limit the rate.
    ///   - report: called with each finding: damaged payloads, payloads that the engine does not return, and objects
    ///     that do not belong to a payload.
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
                // If the engine answers otherwise, only this object is unreadable.
                try checkBucket()
                try report(Finding(.unreadable, stored.path, error.description))
            }
        }
        return read
    }

    /// The total size of all payloads in bytes: a bucket keeps no record of scrubs.
    public func contentToScrub(_ scope: ScrubScope) throws -> UInt64 {
        var bytes: UInt64 = 0
        try forEachKey { bytes += $0.size ?? 0 }
        return bytes
    }

    /// The key under which quarantine keeps a damaged payload.
    static func quarantineKey(_ key: PayloadKey) -> [UInt8] {
        Array("/quarantine".utf8) + key.utf8.dropFirst("/blobs".utf8.count)
    }

    /// Why a payload is damaged, confirmed by a second read; `nil` if it is intact or gone.
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
        return actual == stored.key.digest ? nil : "has \(found.size) bytes with digest \(actual)"
    }

    private func quarantine(_ stored: StoredKey, _ reason: String) throws -> Finding {
        let target = client.location.objectKey(of: Self.quarantineKey(stored.key))
        let place = String(decoding: target, as: UTF8.self)
        let isCopied = try translating { try client.copy(stored.object, to: target) }
        // An upload may have replaced the object in the meantime, because copying takes time.
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
