import PayloadKey
import Storage
import S3

extension S3Store {
    /// Visits the keys of a selection in the engine's order, page by page.
    public func forEachKey(
        in selection: KeySelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (StoredKey) throws -> Void
    ) throws {
        try forEachKey(in: selection, stray: { _ in }, visit)
    }

    /// - Parameter stray: called with the name of each object that does not belong to a payload.
    func forEachKey(
        in selection: KeySelection,
        stray: (String) throws -> Void,
        _ visit: (StoredKey) throws -> Void
    ) throws {
        try translating {
            try client.list(prefix: listed(selection)) { object in
                guard let key = payloadKey(of: object.key) else {
                    return try stray(String(decoding: object.key, as: UTF8.self))
                }
                guard selection.includes(key) else { return }
                try visit(StoredKey(key, of: object))
            }
        }
    }

    /// Visits the keys of a selection with their ages, from the same listing.
    public func forEachAge(
        in selection: KeySelection,
        where isWanted: (Namespace) -> Bool,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (PayloadKey, _ lastStored: Int) throws -> Void
    ) throws {
        try forEachKey(in: selection) { if isWanted($0.key.namespace) { try visit($0.key, $0.lastStored) } }
    }

    /// Storing an existing payload renews its age at most once a day.
    public var ageLag: Int { Self.renewalAge }
    /// Waiting for the engine takes most of the time of a deletion.
    public var deletionsAtOnce: Int { 16 }

    /// The payload stored under a key; `nil` if there is none.
    public func find(_ key: PayloadKey) throws -> StoredKey? {
        try translating { try client.look(for: key) }.map { StoredKey(key, of: $0) }
    }

    /// Deletes a key. The S3 API has no lock against uploads, so the key is checked again just before the request that
    /// deletes it.
    public func remove(
        _ key: PayloadKey,
        isDurable: Bool,
        if isUnwanted: (_ lastStored: Int) -> Bool
    ) throws -> StoredKey? {
        guard let found = try find(key), isUnwanted(found.lastStored) else { return nil }
        try delete(found)
        return found
    }

    /// Deletes the object of a key.
    func delete(_ stored: StoredKey) throws {
        do {
            try client.delete(stored.object)
            known[stored.key] = nil
        } catch let error as S3Error {
            // The engine may permit the deletion of other objects.
            let isDenied = error.code == .accessDenied || error.code == .refused
            throw isDenied ? StoreError(.system, error.description) : StoreError(error)
        }
    }

    /// The longest prefix that all objects of a selection share.
    private func listed(_ selection: KeySelection) -> [UInt8] {
        var path = Array("/blobs/".utf8)
        if let namespace = selection.namespace {
            path += namespace.utf8 + [UInt8(ascii: "/")]
            // Empty parts may stand between `custom/` and the prefix's first part.
            if selection.prefix != nil { path += Array("custom/".utf8) }
        }
        return client.location.objectKey(of: path)
    }

    /// The payload that an object key belongs to. Engines that drop empty parts list keys without the leading slash.
    private func payloadKey(of object: [UInt8]) -> PayloadKey? {
        let prefix = client.location.prefix
        guard object.starts(with: prefix) else { return nil }
        let rest = object.dropFirst(prefix.count)
        return PayloadKey(parsing: rest.first == UInt8(ascii: "/") ? Array(rest) : [UInt8(ascii: "/")] + rest)
    }
}

extension StoredKey {
    /// The key of the object, as the engine spells it.
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
