import PayloadKey

extension PayloadStore {
    /// Hands over the keys of a selection by their content: all that have the same digest at once, in order of their bytes.
    ///
    /// A walk finds keys by namespace and prefix, so the keys of one content are far apart. They are gathered for as many
    /// shards at a time as memory allows, with a walk for each time.
    ///
    /// - Parameters:
    ///   - keysInMemory: about how many keys to hold at a time; half a kilobyte each.
    ///   - visit: gets at least one key. A key that comes or goes meanwhile may be among them or not.
    /// - Throws: ``StoreError`` when a folder can't be read, or what `visit` throws.
    public func forEachContent(
        in selection: KeySelection = KeySelection(),
        keysInMemory: Int = 20_000,
        _ visit: (Digest, [StoredKey]) throws -> Void
    ) throws {
        var count = 0
        try forEachKey(in: selection) { _ in count += 1 }
        // Digests spread evenly.
        let shards = max(1, StoreLayout.shards.count / (count / max(1, keysInMemory) + 1))
        for first in stride(from: 0, to: StoreLayout.shards.count, by: shards) {
            let range = first..<min(first + shards, StoreLayout.shards.count)
            var keys: [Digest: [StoredKey]] = [:]
            try forEachKey(in: selection, of: .shards(range)) { keys[$0.key.digest, default: []].append($0) }
            for (digest, keys) in keys.sorted(by: { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }) {
                try visit(digest, keys.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) })
            }
        }
    }
}
