import PayloadKey
import Storage
import S3

extension S3Store {
    /// The payload that is stored under a key; `nil` when the engine has none. What was found lately is not asked for again.
    ///
    /// - Throws: ``StoreError``.
    public func open(_ key: PayloadKey) throws(StoreError) -> StoredPayload? {
        if let known = known[key] { return payload(key, known.object, known.size) }
        guard let found = try look(for: key) else { return nil }
        known[key] = ObjectCache.Entry(size: found.size, object: found.key)
        return payload(key, found.key, found.size)
    }

    /// The object of a payload; `nil` when there is none.
    ///
    /// A prefix with empty parts may stand in the bucket without them: stores on disk and some engines don't keep them. The
    /// metadata's hash covers the prefix as the client wrote it, so that no key leads to another one's payload.
    func look(for key: PayloadKey) throws(StoreError) -> S3Object? {
        for object in [objectKey(key), key.withoutEmptyParts.map(objectKey)].compactMap(\.self) {
            let found = try translating { () throws(S3Error) in try client.status(of: object) }
            if let found { return found }
        }
        return nil
    }

    private func payload(_ key: PayloadKey, _ object: [UInt8], _ size: UInt64) -> StoredPayload {
        StoredPayload(ObjectContent(store: self, key: key, object: object, size: size))
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
    let store: S3Store
    let key: PayloadKey
    let object: [UInt8]
    let size: UInt64

    var name: String { key.description }

    /// Of a payload that is read whole, the last piece is given only when it is known to be what was stored.
    func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        var hasher = DigestHasher()
        var rest = UInt64(range.count)
        do {
            try store.client.read(object, range) { piece in
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

    private func check(_ actual: Digest) throws(StoreError) {
        guard actual != key.digest else { return }
        throw StoreError(.damaged, "\(key) is damaged: its content has digest \(actual)")
    }

    func handOver() throws(StoreError) -> HandOver {
        let request = try translating { () throws(S3Error) in try store.client.signedGet(object) }
        let hasRoom = store.webCache?.hasRoom(for: size) ?? true
        return .request(target: request.target, headers: request.headers + (hasRoom ? [] : [("no-cache", "1")]))
    }
}
