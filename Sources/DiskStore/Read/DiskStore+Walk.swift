import PayloadKey
import Storage
import System

extension DiskStore {
    /// Visits the selected keys, in no order, while uploads and deletions continue: a key that is added or deleted
    /// during the walk may or may not be visited. Holds the names of one folder, and of the folders above it, in memory
    /// at a time.
    ///
    /// - Parameters:
    ///   - unreadable: called for each folder or file that can't be read because of its permissions or the disk; the
    ///     walk continues when it returns. By default, the walk ends with the error.
    /// - Throws: ``StoreError`` if a folder can't be read, or what `visit` and `unreadable` throw.
    public func forEachKey(
        in selection: KeySelection = KeySelection(),
        unreadable: (_ path: String, StoreError) throws -> Void = { throw $1 },
        _ visit: (StoredKey) throws -> Void
    ) throws {
        try forEachKey(in: selection, below: StoreLayout.keys, unreadable: unreadable) { key, path in
            if let stored = try readable(path, unreadable, { try stored(key, path) }) { try visit(stored) }
        }
    }

    /// As ``forEachKey(in:unreadable:_:)``, but passes only the key and when it was last stored, in seconds since 1970.
    public func forEachAge(
        in selection: KeySelection = KeySelection(),
        where isWanted: (Namespace) -> Bool = { _ in true },
        unreadable: (_ path: String, StoreError) throws -> Void = { throw $1 },
        _ visit: (PayloadKey, _ lastStored: Int) throws -> Void
    ) throws {
        try forEachKey(in: selection, below: StoreLayout.keys, where: isWanted, unreadable: unreadable) { key, path in
            guard let status = try readable(path, unreadable, { try regularFile(path) }) else { return }
            try visit(key, status.modified)
        }
    }

    /// Visits the names of keys without reading the attributes of their files.
    ///
    /// - Parameters:
    ///   - tree: `keys/`, or a folder of `trash/`, which has the same layout.
    ///   - shards: whether to visit the keys of a shard; called just before its folder is read.
    func forEachKey(
        in selection: KeySelection = KeySelection(),
        below tree: String,
        where isWanted: (Namespace) -> Bool = { _ in true },
        shards: (UInt8) -> Bool = { _ in true },
        unreadable: (_ path: String, StoreError) throws -> Void = { throw $1 },
        _ visit: (PayloadKey, _ path: String) throws -> Void
    ) throws {
        let found = try readable(tree, unreadable) { try namespaces(in: selection, below: tree) }
        for namespace in found ?? [] where isWanted(namespace) {
            try walk(namespace, selection.prefix, in: tree, shards: shards) { entry in
                switch entry {
                case .key(let key, let path): if selection.includes(key) { try visit(key, path) }
                case .unreadable(let path, let error): try unreadable(path, error)
                case .folder, .end, .stray, .notUTF8: break
                }
            }
        }
    }

    /// The selected namespaces that have, or had, a key.
    public func namespaces(in selection: KeySelection = KeySelection()) throws -> [Namespace] {
        try namespaces(in: selection, below: StoreLayout.keys)
    }

    func namespaces(in selection: KeySelection = KeySelection(), below tree: String) throws -> [Namespace] {
        try root.namesIfThere(tree).compactMap { try? Namespace(validating: $0.utf8) }
            .filter { selection.namespace == nil || selection.namespace == $0 }
    }

    /// The folders with the layout of `keys/`: `keys/` itself, and those of the trash, with the time at which their
    /// keys count as deleted.
    func keyTrees() throws -> [(path: String, deleted: Int?)] {
        [(StoreLayout.keys, nil)] + (try timesInTrash().map { (StoreLayout.trash(deletedAt: $0), $0) })
    }

    /// Runs `look`. If a path can't be read because of its permissions or the disk, calls `unreadable` and returns
    /// `nil`.
    func readable<Found>(
        _ path: String,
        _ unreadable: (_ path: String, StoreError) throws -> Void,
        _ look: () throws -> Found?
    ) throws -> Found? {
        do {
            return try look()
        } catch let error as StoreError where error.isUnreadable {
            try unreadable(path, error)
            return nil
        }
    }

    /// Runs `work`, and passes its failure to `failed`.
    func goingOn(_ failed: (StoreError) throws -> Void, _ work: () throws -> Void) throws {
        do {
            try work()
        } catch let error as StoreError {
            try failed(error)
        }
    }

    // MARK: Content

    /// Visits the attributes of every object, while uploads and deletions continue; reads no content.
    ///
    /// - Parameter failed: called with the failure of one shard; the walk continues with the others when it returns.
    func forEachObject(failed: (StoreError) throws -> Void = { throw $0 }, _ visit: (FileStatus) -> Void) throws {
        for shard in UInt8.min...UInt8.max {
            let folder = StoreLayout.objectFolder(shard)
            try goingOn(failed) {
                for name in try root.namesIfThere(folder) {
                    if let status = try regularFile("\(folder)/\(name)") { visit(status) }
                }
            }
        }
    }
}
