import PayloadKey
import Storage

/// A file or folder below a namespace's folder.
enum KeyTreeEntry {
    /// A file with the name of a key, at that key's path. Only its name was read.
    case key(PayloadKey, _ path: String)
    /// A folder that leads to keys, visited before its contents.
    case folder(_ path: String)
    /// The same folder, visited after its contents.
    case end(ofFolder: String)
    /// A stray file or folder, which the walk skips.
    case stray(_ path: String)
    /// A stray file or folder whose name is not UTF-8; the path is for messages only.
    case notUTF8(_ path: String)
    /// A folder that can't be read because of its permissions or the disk; the walk skips its contents.
    case unreadable(_ path: String, StoreError)
}

extension DiskStore {
    /// Walks through the folders of a namespace's keys. Holds the names of one folder, and of the folders above it, in
    /// memory at a time.
    ///
    /// - Parameters:
    ///   - prefix: walk only the folder of this prefix.
    ///   - tree: `keys/`, or a folder of `trash/`, which has the same layout.
    ///   - shards: whether to visit the keys of a shard; called just before its folder is read.
    func walk(
        _ namespace: Namespace,
        _ prefix: KeyPrefix? = nil,
        in tree: String,
        shards: (UInt8) -> Bool = { _ in true },
        _ visit: (KeyTreeEntry) throws -> Void
    ) throws {
        /// - Parameter look: visits a name in the folder; returns false if the name is stray.
        func enter(_ folder: String, _ look: (_ name: String, _ path: String) throws -> Bool) throws {
            let entries = try keyTreeEntries(folder)
            try visit(.folder(folder))
            switch entries {
            case .success(let entries):
                for name in entries.notUTF8 { try visit(.notUTF8("\(folder)/\(name)")) }
                for name in entries.names {
                    let path = "\(folder)/\(name)"
                    if try !look(name, path) { try visit(.stray(path)) }
                }
            case .failure(let error): try visit(.unreadable(folder, error))
            }
            try visit(.end(ofFolder: folder))
        }
        func keys(of shard: UInt8?, _ prefix: KeyPrefix?, in folder: String) throws -> Bool {
            guard let shard else { return false }
            guard shards(shard) else { return true }
            try enter(folder) { name, path in
                guard let (digest, hash) = StoreLayout.keyName(parsing: name.utf8), digest.firstByte == shard
                else { return false }
                let key = PayloadKey(namespace: namespace, prefix: prefix, digest: digest, metadataHash: hash)
                try visit(.key(key, path))
                return true
            }
            return true
        }
        func prefixes(_ parts: [String], in folder: String) throws {
            let prefix = KeyPrefix(validating: StoreLayout.path(parts).utf8)
            try enter(folder) { name, path in
                if !parts.isEmpty, try keys(of: StoreLayout.prefixShard(parsing: name), prefix, in: path) {
                    return true
                }
                let parts = parts + [name]
                guard KeyPrefix(validating: StoreLayout.path(parts).utf8) != nil else { return false }
                try prefixes(parts, in: path)
                return true
            }
        }
        let folder = "\(tree)/\(namespace)"
        if let parts = prefix?.folders {
            return try prefixes(parts, in: StoreLayout.path([folder, StoreLayout.custom] + parts))
        }
        try enter(folder) { name, path in
            switch name {
            case StoreLayout.common:
                try enter(path) { try keys(of: StoreLayout.shard(parsing: $0), nil, in: $1) }
            case StoreLayout.custom: try prefixes([], in: path)
            default: return false
            }
            return true
        }
    }

    /// The names in a folder; empty if it was deleted since its name was read, or is a file.
    private func keyTreeEntries(_ folder: String) throws -> Result<FolderEntries, StoreError> {
        do {
            // A link may hide keys, so it is an error.
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
