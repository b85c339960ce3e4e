import PayloadKey
import PayloadStore
import S3

extension S3Store {
    /// Hands over the keys of a selection, page by page as the engine lists them, while uploads and deletions go on.
    ///
    /// - Parameters:
    ///   - stray: called with the name of each object that is no payload's.
    ///   - visit: gets each key.
    /// - Throws: ``StoreError``, or what `visit` and `stray` throw.
    public func forEachKey(
        in selection: KeySelection = KeySelection(),
        stray: (String) throws -> Void = { _ in },
        _ visit: (StoredKey) throws -> Void
    ) throws {
        do {
            try client.list(prefix: listed(selection)) { object in
                guard let key = payloadKey(of: object.key) else {
                    return try stray(String(decoding: object.key, as: UTF8.self))
                }
                guard selection.includes(key) else { return }
                try visit(StoredKey(key, of: object))
            }
        } catch let error as S3Error {
            throw StoreError(error)
        }
    }

    /// What is stored under a key; `nil` when there is nothing.
    ///
    /// - Throws: ``StoreError``.
    public func find(_ key: PayloadKey) throws(StoreError) -> StoredKey? {
        let object = objectKey(key)
        return try translating { () throws(S3Error) in try client.status(of: object) }.map { StoredKey(key, of: $0) }
    }

    /// Deletes keys, many in one request. One that is not there counts as deleted.
    ///
    /// - Returns: which were not deleted, and why.
    /// - Throws: ``StoreError`` when the engine can't be asked.
    public func delete(_ keys: [PayloadKey]) throws(StoreError) -> [(key: PayloadKey, reason: String)] {
        let failed = try translating { () throws(S3Error) in try client.delete(keys.map(objectKey)) }
        for key in keys { sizes[key] = nil }
        return failed.compactMap { failure in payloadKey(of: failure.key).map { ($0, failure.error) } }
    }

    /// What every object of a selection begins with.
    private func listed(_ selection: KeySelection) -> [UInt8] {
        var path = Array("/blobs/".utf8)
        if let namespace = selection.namespace {
            path += namespace.utf8 + [UInt8(ascii: "/")]
            if let prefix = selection.prefix, let first = prefix.folders.first {
                // Empty parts of a prefix are kept in a bucket, so that only its first part is sure to follow.
                path += Array("custom/\(prefix.utf8.first == UInt8(ascii: "/") ? "" : first)".utf8)
            }
        }
        return client.location.objectKey(of: path)
    }

    /// The payload whose object has this key. Engines that know no empty parts list it without the slash at its start.
    private func payloadKey(of object: [UInt8]) -> PayloadKey? {
        let prefix = client.location.prefix
        guard object.starts(with: prefix) else { return nil }
        let rest = object.dropFirst(prefix.count)
        return PayloadKey(parsing: rest.first == UInt8(ascii: "/") ? Array(rest) : [UInt8(ascii: "/")] + rest)
    }
}

extension StoredKey {
    fileprivate init(_ key: PayloadKey, of object: S3Object) {
        self.init(
            key,
            size: object.size,
            lastStored: object.lastModified,
            object: String(decoding: object.key, as: UTF8.self)
        )
    }
}
