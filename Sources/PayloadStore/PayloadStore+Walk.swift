import PayloadKey

extension PayloadStore {
    /// Hands over the keys of a selection, in no order, while uploads and deletions go on: a key that comes or goes
    /// meanwhile may be among them or not. One folder's names are in memory at a time, and those of the folders above it.
    ///
    /// - Parameter unreadable: called for a folder or file that this user or the disk does not let be read, with its path;
    ///   the walk goes on when it returns. Without it, the walk ends there.
    /// - Throws: ``StoreError`` when a folder can't be read, or what `visit` and `unreadable` throw.
    public func forEachKey(
        in selection: KeySelection = KeySelection(),
        unreadable: (_ path: String, StoreError) throws -> Void = { throw $1 },
        _ visit: (StoredKey) throws -> Void
    ) throws {
        try forEachKey(in: selection, of: .all, unreadable: unreadable, visit)
    }

    /// Looks only at the keys of some contents; in `tree`, which is `keys/` or laid out alike.
    func forEachKey(
        in selection: KeySelection = KeySelection(),
        of digests: DigestSelection,
        below tree: String = StoreLayout.keys,
        unreadable: (_ path: String, StoreError) throws -> Void = { throw $1 },
        _ visit: (StoredKey) throws -> Void
    ) throws {
        let walk = KeyWalk(root: root, digests: digests, tree: tree)
        func visitKeys(_ entry: KeyTreeEntry) throws {
            switch entry {
            case .key(let stored, _): try visit(stored)
            case .unreadable(let path, let error): try unreadable(path, error)
            case .folder, .stray, .notUTF8: break
            }
        }
        let found = Result { () throws(StoreError) in try namespaces(in: selection, below: tree) }
        for namespace in try found.readable({ try unreadable(tree, $0) }) ?? [] {
            if let prefix = selection.prefix {
                let folder = [tree, "\(namespace)", StoreLayout.custom] + prefix.folders
                try walk.prefixes(StoreLayout.path(folder), prefix.folders, namespace, visitKeys)
            } else {
                try walk.namespace(namespace, visitKeys)
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

    /// What is stored under a key, without opening it; `nil` when there is nothing.
    ///
    /// - Throws: ``StoreError`` with code `damaged` when it is no regular file.
    public func find(_ key: PayloadKey) throws(StoreError) -> StoredKey? {
        let path = StoreLayout.key(key)
        guard let status = try root.status(of: path) else { return nil }
        guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
        return StoredKey(key, path, status)
    }
}

extension Descriptor {
    /// ``names(_:)`` of a folder that another process may just have removed: none then.
    func namesIfThere(_ path: String) throws(StoreError) -> [String] {
        try entriesIfThere(path).names
    }

    /// ``entries(_:)`` of a folder that another process may just have removed: none then.
    func entriesIfThere(_ path: String) throws(StoreError) -> FolderEntries {
        do {
            return try entries(path)
        } catch let error where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
            return FolderEntries()
        }
    }
}
