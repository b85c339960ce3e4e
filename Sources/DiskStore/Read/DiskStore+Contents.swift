import PayloadKey
import Storage

extension DiskStore {
    /// Visits the contents that the keys of a selection name, in the order of their digests.
    ///
    /// A walk finds keys by namespace and prefix, so the keys of one content are far apart. They are gathered for as many
    /// shards at a time as memory allows, with a walk for each time.
    ///
    /// - Parameters:
    ///   - includesTrash: also the keys of the selection that are in the trash.
    ///   - keysInMemory: about how many keys to hold at a time.
    ///   - visit: gets the keys of the selection that name the content. A key that comes or goes meanwhile may be among them
    ///     or not.
    /// - Throws: ``StoreError`` when a folder can't be read, or what `visit` throws.
    public func forEachContent(
        in selection: KeySelection = KeySelection(),
        includesTrash: Bool = false,
        keysInMemory: Int = 20_000,
        _ visit: (StoredContent) throws -> Void
    ) throws {
        var trees = [StoreLayout.keys]
        if includesTrash { trees += try timesInTrash().map(StoreLayout.trash(deletedAt:)) }
        var count = 0
        for tree in trees { try forEachKey(in: selection, below: tree) { _, _ in count += 1 } }
        // Digests spread evenly.
        let shards = max(1, 256 / (count / max(1, keysInMemory) + 1))
        for first in stride(from: 0, to: 256, by: shards) {
            let range = first..<min(first + shards, 256)
            var keys: [Digest: [StoredContent.Name]] = [:]
            for tree in trees {
                try forEachKey(in: selection, below: tree, shards: { range.contains(Int($0)) }) { key, path in
                    guard let status = try root.status(of: path), status.isRegular else { return }
                    keys[key.digest, default: []].append(
                        .init(key: key, lastStored: status.modified, isInTrash: tree != StoreLayout.keys)
                    )
                }
            }
            for (digest, names) in keys.sorted(by: { $0.key < $1.key }) {
                let object = try root.status(of: StoreLayout.object(digest)).flatMap { $0.isRegular ? $0 : nil }
                try visit(
                    StoredContent(
                        digest: digest,
                        size: object?.size,
                        diskUsage: object?.diskUsage ?? 0,
                        keys: names.sorted { one, other in
                            one.isInTrash == other.isInTrash
                                ? one.key.utf8.lexicographicallyPrecedes(other.key.utf8) : other.isInTrash
                        }
                    )
                )
            }
        }
    }

    /// How many keys name a content, those in the trash included. Looks through the folders of all keys.
    public func keyCount(of digest: Digest) throws -> Int {
        var count = 0
        for tree in [StoreLayout.keys] + (try timesInTrash().map(StoreLayout.trash(deletedAt:))) {
            try forEachKey(below: tree, shards: { $0 == digest.firstByte }) { key, _ in
                if key.digest == digest { count += 1 }
            }
        }
        return count
    }
}
