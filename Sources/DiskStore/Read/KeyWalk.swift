import PayloadKey
import Storage
import SystemPackage

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

/// A walk through the folders of a namespace's keys. One folder's names are in memory at a time, and those of the folders
/// above it.
struct KeyWalk {
    /// What a folder holds.
    private enum Level {
        /// `common/` and `custom/`.
        case namespace
        /// The shards of keys without prefix.
        case common
        /// The parts of prefixes, and the shards of one.
        case prefix([String])
        /// Keys.
        case shard(UInt8, KeyPrefix?)
    }

    private struct OpenFolder {
        let path: String
        let level: Level
        /// Those that were not visited yet.
        var names: [String]
    }

    private let namespace: Namespace
    private let root: Descriptor
    private var first: (folder: String, level: Level)?
    /// The folder that the walk is in, and those above it.
    private var folders: [OpenFolder] = []
    /// What was found in a folder at once.
    private var found: [KeyTreeEntry] = []

    /// - Parameter tree: `keys/`, or a folder of `trash/`, which is laid out alike.
    init(_ namespace: Namespace, in tree: String, _ root: Descriptor) {
        self.namespace = namespace
        self.root = root
        first = ("\(tree)/\(namespace)", .namespace)
    }

    /// Walks only what is below a prefix.
    init(_ namespace: Namespace, _ prefix: KeyPrefix, in tree: String, _ root: Descriptor) {
        self.namespace = namespace
        self.root = root
        let folder = StoreLayout.path([tree, "\(namespace)", StoreLayout.custom] + prefix.folders)
        first = (folder, .prefix(prefix.folders))
    }

    /// What comes next; `nil` at the end.
    ///
    /// - Parameter shards: whether the keys of a shard are visited; asked when its folder is next.
    mutating func next(_ shards: (UInt8) -> Bool = { _ in true }) throws -> KeyTreeEntry? {
        if let (folder, level) = first {
            first = nil
            return try enter(folder, level)
        }
        if let entry = found.popLast() { return entry }
        while !folders.isEmpty {
            let last = folders.count - 1
            guard let name = folders[last].names.popLast() else {
                return .end(ofFolder: folders.removeLast().path)
            }
            let path = "\(folders[last].path)/\(name)"
            let above = folders[last].level
            if case .shard(let shard, let prefix) = above {
                return key(name, shard, prefix).map { .key($0, path) } ?? .stray(path)
            }
            guard let level = Self.level(of: name, in: above) else { return .stray(path) }
            if case .shard(let shard, _) = level, !shards(shard) { continue }
            return try enter(path, level)
        }
        return nil
    }

    private mutating func enter(_ folder: String, _ level: Level) throws -> KeyTreeEntry {
        switch try entries(folder) {
        case .success(let entries):
            folders.append(OpenFolder(path: folder, level: level, names: entries.names))
            found = entries.notUTF8.map { .notUTF8("\(folder)/\($0)") }
        case .failure(let error): found = [.end(ofFolder: folder), .unreadable(folder, error)]
        }
        return .folder(folder)
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
        var failure: StoreError?
        // It may be removed and made again at any time.
        for _ in 0..<8 {
            do {
                return .success(try root.entries(folder))
            } catch {
                let status = try root.status(of: folder)
                switch error.errno {
                case .noSuchFileOrDirectory where status == nil: return .success(FolderEntries())
                case .notDirectory where status?.isRegular ?? true: return .success(FolderEntries())
                case .noSuchFileOrDirectory: failure = error
                // A link may hide keys.
                case .notDirectory, .tooManySymbolicLinkLevels: return .failure(error)
                default:
                    guard error.isUnreadable else { throw error }
                    return .failure(error)
                }
            }
        }
        return failure.map(Result.failure) ?? .success(FolderEntries())
    }
}
