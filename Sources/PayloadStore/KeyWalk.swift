import Glibc
import PayloadKey

/// What lies below `keys/`.
enum KeyTreeEntry {
    case key(StoredKey, FileStatus)
    /// A folder that leads to keys; told before what is in it.
    case folder(_ path: String)
    /// What is neither, and is passed over.
    case stray(_ path: String)
    /// A stray whose name is not UTF-8; the path is for people, and leads nowhere.
    case notUTF8(_ path: String)
    /// A folder or file that this user or the disk does not let be looked at; what is in it is passed over.
    case unreadable(_ path: String, StoreError)
}

/// Which content's keys a walk looks at.
enum DigestSelection {
    case all
    case one(Digest)
    /// Those of some shards, by their first byte.
    case shards(Range<Int>)

    func contains(_ digest: Digest) -> Bool {
        switch self {
        case .all: true
        case .one(let one): digest == one
        case .shards(let shards): shards.contains(Int(digest.bytes[0]))
        }
    }

    func contains(shard: String) -> Bool {
        switch self {
        case .all: true
        case .one(let one): one.shard == shard
        case .shards(let shards): UInt8(shard, radix: 16).map { shards.contains(Int($0)) } ?? false
        }
    }
}

/// A walk through the folders below `keys/`. One folder's names are in memory at a time, and those of the folders above
/// it.
struct KeyWalk {
    let root: Descriptor
    let digests: DigestSelection
    /// `keys/`, or what is laid out alike.
    var tree = StoreLayout.keys

    /// Visits all of a namespace.
    func namespace(_ namespace: Namespace, _ visit: (KeyTreeEntry) throws -> Void) throws {
        let folder = "\(tree)/\(namespace)"
        try visit(.folder(folder))
        for name in try names(folder, visit) {
            switch name {
            case StoreLayout.common: try common("\(folder)/\(name)", namespace, visit)
            case StoreLayout.custom: try prefixes("\(folder)/\(name)", [], namespace, visit)
            default: try visit(.stray("\(folder)/\(name)"))
            }
        }
    }

    private func common(_ folder: String, _ namespace: Namespace, _ visit: (KeyTreeEntry) throws -> Void) throws {
        try visit(.folder(folder))
        for shard in try names(folder, visit) {
            let path = "\(folder)/\(shard)"
            guard StoreLayout.isShard(shard) else {
                try visit(.stray(path))
                continue
            }
            guard digests.contains(shard: shard) else { continue }
            try visit(.folder(path))
            for name in try names(path, visit) {
                try key("\(path)/\(name)", name, in: shard, namespace, nil, visit)
            }
        }
    }

    /// Visits what is below a folder of prefixes; `parts` lead to it. A folder may be the shard of the prefix above it, a
    /// longer prefix, or both.
    func prefixes(
        _ folder: String,
        _ parts: [String],
        _ namespace: Namespace,
        _ visit: (KeyTreeEntry) throws -> Void
    ) throws {
        try visit(.folder(folder))
        let prefix = KeyPrefix(validating: StoreLayout.path(parts.dropLast()).utf8)
        for name in try names(folder, visit) {
            let path = "\(folder)/\(name)"
            if StoreLayout.keyName(parsing: name) != nil {
                if let prefix, let shard = parts.last {
                    try key(path, name, in: shard, namespace, prefix, visit)
                } else {
                    try visit(.stray(path))
                }
            } else if let status = try status(path, visit) {
                if status.isFolder, KeyPrefix(validating: name.utf8) != nil {
                    try prefixes(path, parts + [name], namespace, visit)
                } else {
                    try visit(.stray(path))
                }
            }
        }
    }

    private func names(_ folder: String, _ visit: (KeyTreeEntry) throws -> Void) throws -> [String] {
        let found = Result { () throws(StoreError) in try root.entriesIfThere(folder) }
        guard let entries = try found.readable({ try visit(.unreadable(folder, $0)) }) else { return [] }
        for name in entries.notUTF8 { try visit(.notUTF8("\(folder)/\(name)")) }
        return entries.names
    }

    private func status(_ path: String, _ visit: (KeyTreeEntry) throws -> Void) throws -> FileStatus? {
        let found = Result { () throws(StoreError) in try root.status(of: path) }
        return try found.readable { try visit(.unreadable(path, $0)) } ?? nil
    }

    private func key(
        _ path: String,
        _ name: String,
        in shard: String,
        _ namespace: Namespace,
        _ prefix: KeyPrefix?,
        _ visit: (KeyTreeEntry) throws -> Void
    ) throws {
        guard let (digest, metadataHash) = StoreLayout.keyName(parsing: name), digest.shard == shard else {
            return try visit(.stray(path))
        }
        guard digests.contains(digest), let status = try status(path, visit) else { return }
        guard status.isRegular else { return try visit(.stray(path)) }
        let key = PayloadKey(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadataHash)
        try visit(.key(StoredKey(key, path, status), status))
    }
}
