import PayloadKey
import Storage
import S3

extension S3Store {
    /// Visits the keys of a selection, page by page as the engine lists them.
    public func forEachKey(
        in selection: KeySelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (StoredKey) throws -> Void
    ) throws {
        try forEachKey(in: selection, stray: { _ in }, visit)
    }

    /// - Parameter stray: called with the name of each object that is no payload's.
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

    /// An upload of a payload that is there renews its age once a day.
    public var ageLag: Int { Self.renewalAge }
    /// An engine's answers take their time.
    public var deletionsAtOnce: Int { 16 }

    /// What is stored under a key; `nil` when there is nothing.
    public func find(_ key: PayloadKey) throws -> StoredKey? {
        try translating { try client.look(for: key) }.map { StoredKey(key, of: $0) }
    }

    /// Deletes a key. An engine has no lock that an upload could hold: the key is looked at again just before the request
    /// that deletes it.
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
            // The engine may allow it for others.
            let isDenied = error.code == .accessDenied || error.code == .refused
            throw isDenied ? StoreError(.system, error.description) : StoreError(error)
        }
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
