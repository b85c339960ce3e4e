import PayloadKey
import Storage
import S3

extension S3Store {
    /// The payload stored under a key; `nil` if the engine has none. Does not ask the engine about recently found
    /// payloads.
    public func open(_ key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> StoredPayload? {
        try object(of: key, until: deadline)
    }

    /// As ``open(_:until:)``: the web server gets a signed request.
    public func locate(_ key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> (any PayloadLocation)? {
        try object(of: key, until: deadline)
    }

    private func object(of key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> ObjectContent? {
        let client = client.until(deadline)
        if let known = known[key] { return payload(key, known.object, known.size, client) }
        guard let found = try translating({ try client.look(for: key) }) else { return nil }
        known[key] = ObjectCache.Entry(size: found.size, object: found.key)
        return payload(key, found.key, found.size, client)
    }

    private func payload(_ key: PayloadKey, _ object: [UInt8], _ size: UInt64, _ client: S3Client) -> ObjectContent {
        ObjectContent(store: self, client: client, key: key, object: object, size: size)
    }
}

extension S3Client {
    /// The object of a payload; `nil` if it does not exist.
    ///
    /// The bucket may hold a prefix without its empty parts, because disk stores and some engines drop them. The
    /// metadata's hash covers the prefix as the client wrote it, so no key leads to another key's payload.
    func look(for key: PayloadKey) throws -> S3Object? {
        for key in [key, key.withoutEmptyParts].compactMap(\.self) {
            if let found = try status(of: location.objectKey(of: key.utf8)) { return found }
        }
        return nil
    }
}

extension PayloadKey {
    /// The key in the form of a store that drops empty parts of prefixes; `nil` if it has none.
    fileprivate var withoutEmptyParts: PayloadKey? {
        guard let prefix, let shorter = KeyPrefix(validating: prefix.folders.joined(separator: "/").utf8),
            shorter != prefix
        else { return nil }
        return PayloadKey(namespace: namespace, prefix: shorter, digest: digest, metadataHash: metadataHash)
    }
}

/// The content of a payload's object.
private struct ObjectContent: PayloadContent, PayloadLocation {
    /// The largest payload, in bytes, that is fetched whole for a range, so that the web server can cache it.
    private static let wholeForRange: UInt64 = 4 << 20

    let store: S3Store
    let client: S3Client
    let key: PayloadKey
    let object: [UInt8]
    let size: UInt64

    var name: String { key.description }

    /// When the whole payload is read, the last piece is passed on only after the digest of all bytes is verified.
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
            // The object was deleted or replaced since it was last seen.
            store.known[key] = nil
            throw error.code == .noSuchKey ? StoreError(.vanished, error.description) : StoreError(error)
        }
    }

    private func check(_ actual: Digest) throws {
        guard actual != key.digest else { return }
        throw StoreError(.damaged, "\(key) is damaged: its content has digest \(actual)")
    }

    /// A redirect to the engine: a target (path and query, percent-encoded) and signed header fields. Anyone who has
    /// them can read the payload for some minutes. nginx's files (`nginx/s3.conf`) use the same names.
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
