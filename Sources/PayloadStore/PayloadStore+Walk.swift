import PayloadKey

extension PayloadStore {
    /// Hands over the keys of a selection, in no order, while uploads and deletions go on: a key that comes or goes
    /// meanwhile may be among them or not. One folder's names are in memory at a time, and those of the folders above it.
    ///
    /// - Throws: ``StoreError`` when a folder can't be read, or what `visit` throws.
    public func forEachKey(in selection: KeySelection = KeySelection(), _ visit: (StoredKey) throws -> Void) throws {
        try forEachKey(in: selection, of: nil, below: StoreLayout.keys, visit)
    }

    /// Looks only at the keys of one content, when there is a `digest`; in `tree`, which is `keys/` or laid out alike.
    func forEachKey(
        in selection: KeySelection,
        of digest: Digest?,
        below tree: String = StoreLayout.keys,
        _ visit: (StoredKey) throws -> Void
    ) throws {
        let walk = KeyWalk(root: root, digest: digest)
        for namespace in try namespaces(in: selection, below: tree) {
            let folder = "\(tree)/\(namespace)"
            if let prefix = selection.prefix {
                let parts = prefix.folders
                try walk.prefixes(StoreLayout.path([folder, StoreLayout.custom] + parts), parts, namespace, visit)
            } else {
                for shard in try root.namesIfThere("\(folder)/\(StoreLayout.common)") {
                    try walk.shard("\(folder)/\(StoreLayout.common)/\(shard)", shard, namespace, nil, visit)
                }
                try walk.prefixes("\(folder)/\(StoreLayout.custom)", [], namespace, visit)
            }
        }
    }

    /// The namespaces of a selection that have, or had, a key.
    public func namespaces(in selection: KeySelection = KeySelection()) throws(StoreError) -> [Namespace] {
        try namespaces(in: selection, below: StoreLayout.keys)
    }

    private func namespaces(in selection: KeySelection, below tree: String) throws(StoreError) -> [Namespace] {
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

/// A walk through the folders below `keys/`.
private struct KeyWalk {
    let root: Descriptor
    /// The content whose keys are wanted; `nil`: all keys.
    let digest: Digest?

    /// Visits the keys below a folder of prefixes; `parts` lead to it. A folder may be the shard of the prefix above it,
    /// a longer prefix, or both.
    func prefixes(
        _ folder: String,
        _ parts: [String],
        _ namespace: Namespace,
        _ visit: (StoredKey) throws -> Void
    ) throws {
        if let shard = parts.last, let prefix = KeyPrefix(validating: StoreLayout.path(parts.dropLast()).utf8) {
            try self.shard(folder, shard, namespace, prefix, visit)
        }
        for name in try root.namesIfThere(folder) where StoreLayout.keyName(parsing: name) == nil {
            let path = "\(folder)/\(name)"
            if try root.status(of: path)?.isFolder == true { try prefixes(path, parts + [name], namespace, visit) }
        }
    }

    /// Visits the keys of one shard.
    func shard(
        _ folder: String,
        _ shard: String,
        _ namespace: Namespace,
        _ prefix: KeyPrefix?,
        _ visit: (StoredKey) throws -> Void
    ) throws {
        guard digest == nil || digest?.shard == shard else { return }
        for name in try root.namesIfThere(folder) {
            guard let (digest, metadataHash) = StoreLayout.keyName(parsing: name), digest.shard == shard,
                self.digest == nil || self.digest == digest
            else { continue }
            let path = "\(folder)/\(name)"
            guard let status = try root.status(of: path), status.isRegular else { continue }
            let key = PayloadKey(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadataHash)
            try visit(StoredKey(key, path, status))
        }
    }
}

extension Descriptor {
    /// ``names(_:)`` of a folder that another process may just have removed: none then.
    func namesIfThere(_ path: String) throws(StoreError) -> [String] {
        do {
            return try names(path)
        } catch let error where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
            return []
        }
    }
}
