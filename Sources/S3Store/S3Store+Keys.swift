import PayloadKey
import Storage
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
        try look(for: key).map { StoredKey(key, of: $0) }
    }

    /// Deletes keys that were found, many in one request. One that is gone counts as deleted.
    ///
    /// - Returns: which were not deleted, and why.
    /// - Throws: ``StoreError`` when the engine can't be asked.
    public func delete(_ found: [StoredKey]) throws(StoreError) -> [(key: PayloadKey, reason: String)] {
        let failed = try translating { () throws(S3Error) in try client.delete(found.map(\.object)) }
        for stored in found { known[stored.key] = nil }
        let keys = Dictionary(found.map { ($0.object, $0.key) }) { first, _ in first }
        return failed.compactMap { failure in keys[failure.key].map { ($0, failure.error) } }
    }

    /// What every object of a selection begins with.
    private func listed(_ selection: KeySelection) -> [UInt8] {
        var path = Array("/blobs/".utf8)
        if let namespace = selection.namespace {
            path += namespace.utf8 + [UInt8(ascii: "/")]
            // Between them and the first part there may be empty ones.
            if selection.prefix != nil { path += Array("custom/".utf8) }
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
    /// The key of its object, as the engine names it.
    var object: [UInt8] { Array(path.utf8) }

    fileprivate init(_ key: PayloadKey, of object: S3Object) {
        self.init(
            key,
            size: object.size,
            diskUsage: object.size,
            lastStored: object.lastModified,
            path: String(decoding: object.key, as: UTF8.self)
        )
    }
}
