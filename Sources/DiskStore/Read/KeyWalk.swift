import Glibc
import PayloadKey
import Storage
import SystemPackage

/// What lies below `keys/`.
enum KeyTreeEntry {
    /// A file with the name of a key, where a key of that name belongs. Nothing is known but the name.
    case key(PayloadKey, _ path: String)
    /// A folder that leads to keys; visited before what is in it.
    case folder(_ path: String)
    /// What is neither, and is passed over.
    case stray(_ path: String)
    /// A stray whose name is not UTF-8; the path is for people, and leads nowhere.
    case notUTF8(_ path: String)
    /// A folder that this user or the disk does not let be read; what is in it is passed over.
    case unreadable(_ path: String, StoreError)
}

/// A walk through the folders of keys. One folder's names are in memory at a time, and those of the folders above it.
struct KeyWalk {
    let root: Descriptor

    /// The keys of these shards are visited.
    typealias ShardFilter = (UInt8) -> Bool
    typealias Visit = (KeyTreeEntry) throws -> Void

    /// Visits all of a namespace.
    ///
    /// - Parameter tree: `keys/`, or a folder of `trash/`, which is laid out alike.
    func namespace(_ namespace: Namespace, in tree: String, shards: ShardFilter, _ visit: Visit) throws {
        let folder = "\(tree)/\(namespace)"
        try visit(.folder(folder))
        for name in try names(folder, visit) {
            switch name {
            case StoreLayout.common: try common("\(folder)/\(name)", namespace, shards, visit)
            case StoreLayout.custom: try prefixes("\(folder)/\(name)", [], namespace, shards, visit)
            default: try visit(.stray("\(folder)/\(name)"))
            }
        }
    }

    private func common(_ folder: String, _ namespace: Namespace, _ shards: ShardFilter, _ visit: Visit) throws {
        try visit(.folder(folder))
        for name in try names(folder, visit) {
            if let shard = StoreLayout.keyShard(parsing: name, isBelowPrefix: false) {
                try keys("\(folder)/\(name)", shard, namespace, nil, shards, visit)
            } else {
                try visit(.stray("\(folder)/\(name)"))
            }
        }
    }

    /// Visits what is below a folder of prefixes; `parts` lead to it.
    func prefixes(
        _ folder: String,
        _ parts: [String],
        _ namespace: Namespace,
        _ shards: ShardFilter,
        _ visit: Visit
    ) throws {
        try visit(.folder(folder))
        let prefix = parts.isEmpty ? nil : KeyPrefix(validating: StoreLayout.path(parts).utf8)
        for name in try names(folder, visit) {
            let path = "\(folder)/\(name)"
            if let prefix, let shard = StoreLayout.keyShard(parsing: name, isBelowPrefix: true) {
                try keys(path, shard, namespace, prefix, shards, visit)
            } else if KeyPrefix(validating: StoreLayout.path(parts + [name]).utf8) != nil, !name.isEmpty {
                try prefixes(path, parts + [name], namespace, shards, visit)
            } else {
                try visit(.stray(path))
            }
        }
    }

    private func keys(
        _ folder: String,
        _ shard: UInt8,
        _ namespace: Namespace,
        _ prefix: KeyPrefix?,
        _ shards: ShardFilter,
        _ visit: Visit
    ) throws {
        guard shards(shard) else { return }
        try visit(.folder(folder))
        for name in try names(folder, visit) {
            let path = "\(folder)/\(name)"
            if let (digest, metadataHash) = StoreLayout.keyName(parsing: name.utf8), digest.firstByte == shard {
                try visit(
                    .key(
                        PayloadKey(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadataHash),
                        path
                    )
                )
            } else {
                try visit(.stray(path))
            }
        }
    }

    private func names(_ folder: String, _ visit: Visit) throws -> [String] {
        let entries: FolderEntries
        do throws(StoreError) {
            entries = try root.entries(folder)
        } catch {
            // Removed since its name was read. One that the file system denies, and that has its name all the same, is not.
            if error.errno == .noSuchFileOrDirectory, try root.status(of: folder) == nil { return [] }
            if error.errno == .notDirectory, try root.status(of: folder)?.isRegular ?? true { return [] }
            // A link may hide keys.
            let answers: [Errno] = [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels]
            guard error.isUnreadable || error.errno.map(answers.contains) ?? false else { throw error }
            try visit(.unreadable(folder, error))
            return []
        }
        for name in entries.notUTF8 { try visit(.notUTF8("\(folder)/\(name)")) }
        return entries.names
    }
}
