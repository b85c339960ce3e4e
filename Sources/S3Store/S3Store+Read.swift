import PayloadKey
import Storage
import S3

extension S3Store {
    /// The payload that is stored under a key; `nil` when the engine has none. What was found lately is not asked for again.
    public func open(_ key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> StoredPayload? {
        let client = client.until(deadline)
        if let known = known[key] { return payload(key, known.object, known.size, client) }
        guard let found = try translating({ try client.look(for: key) }) else { return nil }
        known[key] = ObjectCache.Entry(size: found.size, object: found.key)
        return payload(key, found.key, found.size, client)
    }

    private func payload(_ key: PayloadKey, _ object: [UInt8], _ size: UInt64, _ client: S3Client) -> StoredPayload {
        ObjectContent(store: self, client: client, key: key, object: object, size: size)
    }
}

extension S3Client {
    /// The object of a payload; `nil` when there is none.
    ///
    /// A prefix with empty parts may stand in the bucket without them: stores on disk and some engines don't keep them. The
    /// metadata's hash covers the prefix as the client wrote it, so that no key leads to another one's payload.
    func look(for key: PayloadKey) throws -> S3Object? {
        for key in [key, key.withoutEmptyParts].compactMap(\.self) {
            if let found = try status(of: location.objectKey(of: key.utf8)) { return found }
        }
        return nil
    }
}

extension PayloadKey {
    /// The key as a store keeps it that knows no empty parts of prefixes; `nil` when it has none.
    fileprivate var withoutEmptyParts: PayloadKey? {
        guard let prefix, let shorter = KeyPrefix(validating: prefix.folders.joined(separator: "/").utf8),
            shorter != prefix
        else { return nil }
        return PayloadKey(namespace: namespace, prefix: shorter, digest: digest, metadataHash: metadataHash)
    }
}

/// The content of a payload's object.
private struct ObjectContent: PayloadContent {
    /// Bytes up to which a payload is fetched whole for a range of it: the web server's cache has it then.
    private static let wholeForRange: UInt64 = 4 << 20

    let store: S3Store
    let client: S3Client
    let key: PayloadKey
    let object: [UInt8]
    let size: UInt64

    var name: String { key.description }

    /// Of a payload that is read whole, the last piece is given only when it is known to be what was stored.
    func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        var hasher = DigestHasher()
        var rest = UInt64(range.count)
        do {
            try client.read(object, range) { piece in
                rest -= UInt64(piece.count)
                if range == 0..<size {
                    hasher.update(piece)
                    if rest == 0 { try check(hasher.finalize()) }
                }
                try take(piece)
            }
        } catch let error as S3Error {
            // Deleted since it was last seen, or another one.
            store.known[key] = nil
            throw error.code == .noSuchKey ? StoreError(.vanished, error.description) : StoreError(error)
        }
    }

    private func check(_ actual: Digest) throws {
        guard actual != key.digest else { return }
        throw StoreError(.damaged, "\(key) is damaged: its content has digest \(actual)")
    }

    /// What the engine answers to a GET of a target (path and query, as they go on the wire) with header fields. Whoever has
    /// them can read the payload for some minutes. The names are those of nginx's files (`nginx/s3.conf`).
    func redirect(isRange: Bool) throws -> InternalRedirect {
        let request = try translating { try client.signedGet(object) }
        let hasRoom = store.webCache?.hasRoom(for: size) ?? true
        return InternalRedirect(
            "\(isRange && size > Self.wholeForRange ? "s3-ranges" : "s3")/\(key.digest.hex)",
            headers: [("X-LPS-S3-Target", request.target)] + request.headers.map { ("X-LPS-S3-\($0.name)", $0.value) }
                + (hasRoom ? [] : [("X-LPS-S3-no-cache", "1")])
        )
    }
}
