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
        switch try entries(folder) {
        case .success(let entries):
            for name in entries.notUTF8 { try visit(.notUTF8("\(folder)/\(name)")) }
            return entries.names
        case .failure(let error):
            try visit(.unreadable(folder, error))
            return []
        }
    }

    /// The names in a folder: none when it was removed since its own name was read, or is a file.
    private func entries(_ folder: String) throws(StoreError) -> Result<FolderEntries, StoreError> {
        var failure: StoreError?
        // It may be removed and made again at any time.
        for _ in 0..<8 {
            let found = Result { () throws(StoreError) in try root.entries(folder) }
            guard case .failure(let error) = found else { return found }
            let status = try root.status(of: folder)
            switch error.errno {
            case .noSuchFileOrDirectory where status == nil: return .success(FolderEntries())
            case .notDirectory where status?.isRegular ?? true: return .success(FolderEntries())
            case .noSuchFileOrDirectory: failure = error
            // A link may hide keys.
            case .notDirectory, .tooManySymbolicLinkLevels: return found
            default:
                guard error.isUnreadable else { throw error }
                return found
            }
        }
        return failure.map(Result.failure) ?? .success(FolderEntries())
    }
}
