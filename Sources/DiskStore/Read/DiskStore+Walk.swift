import PayloadKey
import Storage
import System

extension DiskStore {
    /// Visits the keys of a selection, in no order, while uploads and deletions go on: a key that comes or goes meanwhile
    /// may be among them or not. One folder's names are in memory at a time, and those of the folders above it.
    ///
    /// - Parameters:
    ///   - unreadable: called for a folder or file that this user or the disk does not let be read, with its path; the walk
    ///     goes on when it returns. Without it, the walk ends there.
    /// - Throws: ``StoreError`` when a folder can't be read, or what `visit` and `unreadable` throw.
    public func forEachKey(
        in selection: KeySelection = KeySelection(),
        unreadable: (_ path: String, StoreError) throws -> Void = { throw $1 },
        _ visit: (StoredKey) throws -> Void
    ) throws {
        try forEachKey(in: selection, below: StoreLayout.keys, unreadable: unreadable) { key, path in
            if let stored = try readable(path, unreadable, { try stored(key, path) }) { try visit(stored) }
        }
    }

    /// As ``forEachKey(in:unreadable:_:)``, with the age alone: when a key was last stored, in seconds since 1970.
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

    /// Visits the names of keys without looking at the files.
    ///
    /// - Parameters:
    ///   - tree: `keys/`, or a folder of `trash/`, which is laid out alike.
    ///   - shards: whether the keys of a shard are visited; asked when its folder is next.
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

    /// The namespaces of a selection that have, or had, a key.
    public func namespaces(in selection: KeySelection = KeySelection()) throws -> [Namespace] {
        try namespaces(in: selection, below: StoreLayout.keys)
    }

    func namespaces(in selection: KeySelection = KeySelection(), below tree: String) throws -> [Namespace] {
        try root.namesIfThere(tree).compactMap { try? Namespace(validating: $0.utf8) }
            .filter { selection.namespace == nil || selection.namespace == $0 }
    }

    /// The folders that are laid out as `keys/` is: itself, and those of the trash, with when the keys in them count as deleted.
    func keyTrees() throws -> [(path: String, deleted: Int?)] {
        [(StoreLayout.keys, nil)] + (try timesInTrash().map { (StoreLayout.trash(deletedAt: $0), $0) })
    }

    /// What `look` finds; `nil`, after `unreadable` was called, when this user or the disk does not let it be read.
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

    /// Does `work`; what it fails with is reported, and the others follow when `failed` returns.
    func goingOn(_ failed: (StoreError) throws -> Void, _ work: () throws -> Void) throws {
        do {
            try work()
        } catch let error as StoreError {
            try failed(error)
        }
    }

    // MARK: Content

    /// Looks at every object; reads no content. Uploads and deletions go on meanwhile.
    ///
    /// - Parameter failed: called with what a folder or file fails with; the others follow when it returns.
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
