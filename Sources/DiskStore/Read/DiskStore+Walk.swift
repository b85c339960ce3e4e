import PayloadKey
import Storage

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
            let look = Result { () throws(StoreError) in try stored(key, path) }
            if let stored = try look.readable({ try unreadable(path, $0) }) ?? nil { try visit(stored) }
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
            let look = Result { () throws(StoreError) in try root.status(of: path) }
            guard let status = try look.readable({ try unreadable(path, $0) }) ?? nil, status.isRegular else { return }
            try visit(key, status.modified)
        }
    }

    /// `nil` when it has gone since its folder was read, or is no file.
    func stored(_ key: PayloadKey, _ path: String) throws(StoreError) -> StoredKey? {
        guard let status = try root.status(of: path), status.isRegular else { return nil }
        return try storedKey(key, path, lastStored: status.modified)
    }

    /// Visits the names of keys without looking at the files.
    ///
    /// - Parameter tree: `keys/`, or a folder of `trash/`, which is laid out alike.
    func forEachKey(
        in selection: KeySelection = KeySelection(),
        below tree: String,
        where isWanted: (Namespace) -> Bool = { _ in true },
        shards: (UInt8) -> Bool = { _ in true },
        unreadable: (_ path: String, StoreError) throws -> Void = { throw $1 },
        _ visit: (PayloadKey, _ path: String) throws -> Void
    ) throws {
        let walk = KeyWalk(root: root)
        func visitKeys(_ entry: KeyTreeEntry) throws {
            switch entry {
            case .key(let key, let path): if selection.includes(key) { try visit(key, path) }
            case .unreadable(let path, let error): try unreadable(path, error)
            case .folder, .stray, .notUTF8: break
            }
        }
        let found = Result { () throws(StoreError) in try namespaces(in: selection, below: tree) }
        for namespace in try found.readable({ try unreadable(tree, $0) }) ?? [] where isWanted(namespace) {
            if let prefix = selection.prefix {
                let folder = StoreLayout.path([tree, "\(namespace)", StoreLayout.custom] + prefix.folders)
                try walk.prefixes(folder, prefix.folders, namespace, shards, visitKeys)
            } else {
                try walk.namespace(namespace, in: tree, shards: shards, visitKeys)
            }
        }
    }

    /// The namespaces of a selection that have, or had, a key.
    public func namespaces(in selection: KeySelection = KeySelection()) throws(StoreError) -> [Namespace] {
        try namespaces(in: selection, below: StoreLayout.keys)
    }

    func namespaces(in selection: KeySelection, below tree: String) throws(StoreError) -> [Namespace] {
        try root.namesIfThere(tree).compactMap { try? Namespace(validating: $0.utf8) }
            .filter { selection.namespace == nil || selection.namespace == $0 }
    }
}
