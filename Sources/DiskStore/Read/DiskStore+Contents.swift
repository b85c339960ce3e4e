import PayloadKey
import Storage

extension DiskStore {
    /// Visits the contents of the selected keys, in the order of their digests.
    ///
    /// A walk finds keys by namespace and prefix, so the keys of one content are far apart. They are collected for as
    /// many shards at a time as memory allows, with one walk for each group of shards.
    ///
    /// - Parameters:
    ///   - includesTrash: also visit the content of selected keys in the trash.
    ///   - keysInMemory: the approximate number of keys to hold in memory at a time.
    ///   - visit: receives the content with its selected keys. A key that is added or deleted during the call may or
    ///     may not be included.
    /// - Throws: ``StoreError`` if a folder can't be read, or what `visit` throws.
    package func forEachContent(
        in selection: KeySelection = KeySelection(),
        includesTrash: Bool = false,
        keysInMemory: Int,
        _ visit: (StoredContent) throws -> Void
    ) throws {
        let trees = includesTrash ? try keyTrees().map(\.path) : [StoreLayout.keys]
        var count = 0
        for tree in trees { try forEachKey(in: selection, below: tree) { _, _ in count += 1 } }
        // Digests are spread evenly over shards.
        let shards = max(1, 256 / (count / max(1, keysInMemory) + 1))
        for first in stride(from: 0, to: 256, by: shards) {
            let range = first..<min(first + shards, 256)
            var keys: [Digest: [StoredContent.Name]] = [:]
            for tree in trees {
                try forEachKey(in: selection, below: tree, shards: { range.contains(Int($0)) }) { key, path in
                    guard let status = try regularFile(path) else { return }
                    keys[key.digest, default: []].append((key, status.modified, tree != StoreLayout.keys))
                }
            }
            for (digest, names) in keys.sorted(by: { $0.key < $1.key }) {
                let object = try regularFile(StoreLayout.object(digest))
                let names = names.sorted { one, other in
                    one.isInTrash == other.isInTrash
                        ? one.key.utf8.lexicographicallyPrecedes(other.key.utf8) : other.isInTrash
                }
                try visit(
                    StoredContent(digest: digest, size: object?.size, diskUsage: object?.diskUsage ?? 0, keys: names)
                )
            }
        }
    }

    /// Visits the contents of the selected keys, with 20,000 keys in memory at a time.
    public func forEachContent(
        in selection: KeySelection = KeySelection(),
        includesTrash: Bool = false,
        _ visit: (StoredContent) throws -> Void
    ) throws {
        try forEachContent(in: selection, includesTrash: includesTrash, keysInMemory: 20_000, visit)
    }

    /// The number of keys that name a content, including those in the trash. Reads the folders of all keys.
    public func keyCount(of digest: Digest) throws -> Int {
        var count = 0
        for tree in try keyTrees() {
            try forEachKey(below: tree.path, shards: { $0 == digest.firstByte }) { key, _ in
                if key.digest == digest { count += 1 }
            }
        }
        return count
    }
}
