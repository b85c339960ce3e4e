import PayloadKey
import Storage

/// What lies below a namespace's folder.
enum KeyTreeEntry {
    /// A file with the name of a key, where a key of that name belongs. Nothing is known but the name.
    case key(PayloadKey, _ path: String)
    /// A folder that leads to keys; visited before what is in it.
    case folder(_ path: String)
    /// The same folder, after what is in it.
    case end(ofFolder: String)
    /// What is neither, and is passed over.
    case stray(_ path: String)
    /// A stray whose name is not UTF-8; the path is for people, and leads nowhere.
    case notUTF8(_ path: String)
    /// A folder that this user or the disk does not let be read; what is in it is passed over.
    case unreadable(_ path: String, StoreError)
}

extension DiskStore {
    /// Walks through the folders of a namespace's keys. One folder's names are in memory at a time, and those of the folders
    /// above it.
    ///
    /// - Parameters:
    ///   - prefix: walk only what is below it.
    ///   - tree: `keys/`, or a folder of `trash/`, which is laid out alike.
    ///   - shards: whether the keys of a shard are visited; asked when its folder is next.
    func walk(
        _ namespace: Namespace,
        _ prefix: KeyPrefix? = nil,
        in tree: String,
        shards: (UInt8) -> Bool = { _ in true },
        _ visit: (KeyTreeEntry) throws -> Void
    ) throws {
        let walk = KeyWalk(namespace: namespace, root: root)
        let folder = "\(tree)/\(namespace)"
        guard let prefix else { return try walk.enter(folder, .namespace, shards, visit) }
        let parts = prefix.folders
        try walk.enter(StoreLayout.path([folder, StoreLayout.custom] + parts), .prefix(parts), shards, visit)
    }
}

private struct KeyWalk {
    /// What a folder holds.
    enum Level {
        /// `common/` and `custom/`.
        case namespace
        /// The shards of keys without prefix.
        case common
        /// The parts of prefixes, and the shards of one.
        case prefix([String])
        /// Keys.
        case shard(UInt8, KeyPrefix?)
    }

    let namespace: Namespace
    let root: Descriptor

    func enter(
        _ folder: String,
        _ level: Level,
        _ shards: (UInt8) -> Bool,
        _ visit: (KeyTreeEntry) throws -> Void
    ) throws {
        switch try entries(folder) {
        case .success(let entries):
            try visit(.folder(folder))
            for name in entries.notUTF8 { try visit(.notUTF8("\(folder)/\(name)")) }
            for name in entries.names { try look(at: name, "\(folder)/\(name)", in: level, shards, visit) }
        case .failure(let error):
            try visit(.folder(folder))
            try visit(.unreadable(folder, error))
        }
        try visit(.end(ofFolder: folder))
    }

    private func look(
        at name: String,
        _ path: String,
        in level: Level,
        _ shards: (UInt8) -> Bool,
        _ visit: (KeyTreeEntry) throws -> Void
    ) throws {
        if case .shard(let shard, let prefix) = level {
            return try visit(key(name, shard, prefix).map { .key($0, path) } ?? .stray(path))
        }
        guard let next = Self.level(of: name, in: level) else { return try visit(.stray(path)) }
        if case .shard(let shard, _) = next, !shards(shard) { return }
        try enter(path, next, shards, visit)
    }

    private func key(_ name: String, _ shard: UInt8, _ prefix: KeyPrefix?) -> PayloadKey? {
        guard let (digest, metadataHash) = StoreLayout.keyName(parsing: name.utf8), digest.firstByte == shard
        else { return nil }
        return PayloadKey(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadataHash)
    }

    /// What the folder of a name holds; `nil` when it is none of the store's.
    private static func level(of name: String, in level: Level) -> Level? {
        switch level {
        case .namespace:
            return name == StoreLayout.common ? .common : name == StoreLayout.custom ? .prefix([]) : nil
        case .common:
            return StoreLayout.shard(parsing: name).map { .shard($0, nil) }
        case .prefix(let parts):
            if let shard = StoreLayout.prefixShard(parsing: name), !parts.isEmpty {
                return .shard(shard, KeyPrefix(validating: StoreLayout.path(parts).utf8))
            }
            let parts = parts + [name]
            return name.isEmpty || KeyPrefix(validating: StoreLayout.path(parts).utf8) == nil ? nil : .prefix(parts)
        case .shard: return nil
        }
    }

    /// The names in a folder: none when it was removed since its own name was read, or is a file.
    private func entries(_ folder: String) throws -> Result<FolderEntries, StoreError> {
        do {
            // A link may hide keys.
            return .success(
                try root.entriesIfThere(folder) { error, status in
                    error.errno == .tooManySymbolicLinkLevels || status.map { !$0.isFolder && !$0.isRegular } ?? false
                }
            )
        } catch let error as StoreError where error.isUnreadable || error.saysThatNoFolderIsThere {
            return .failure(error)
        }
    }
}
