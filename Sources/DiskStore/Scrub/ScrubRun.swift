import PayloadKey
import Storage

/// One reading of the content: what can't be read or moved is a finding, and the rest is read all the same.
final class ScrubRun {
    private let store: DiskStore
    /// Content that has not changed since is not read, in microseconds since 1970.
    private let since: Int64
    private let pace: (Int) -> Void
    private let report: (Finding) throws -> Void

    /// What was read.
    private(set) var read = Scrubbed()
    /// Whether nothing was left out.
    private(set) var isComplete = true
    /// Damaged content of the shard that is being read, and what was done with it.
    private var damaged: [(digest: Digest, reason: String, remedy: Finding.Remedy, target: String?)] = []

    init(store: DiskStore, since: Int64, pace: @escaping (Int) -> Void, report: @escaping (Finding) throws -> Void) {
        self.store = store
        self.since = since
        self.pace = pace
        self.report = report
    }

    func objects(of shard: UInt8) throws {
        let reading = Result { try read(shard) }
        // What was moved is told all the same.
        try tell(of: shard)
        try reading.get()
    }

    private func read(_ shard: UInt8) throws {
        let folder = StoreLayout.objectFolder(shard)
        for name in try store.readable(folder, unreadable, { try store.root.namesIfThere(folder) }) ?? [] {
            guard let digest = Digest(hex: name.utf8), digest.firstByte == shard else { continue }
            let path = StoreLayout.object(digest)
            _ = try store.readable(path, unreadable) { try check(digest, path) }
        }
    }

    /// Reads an object; what is damaged is moved.
    private func check(_ digest: Digest, _ path: String) throws {
        // What is no file is reported with the other strays.
        guard let status = try store.regularFile(path), status.changed >= since,
            let content = try FileContent(path, below: store.root)
        else { return }
        read.files += 1
        let wrong = try store.wrongContent(content, digest) { count in
            read.bytes += UInt64(count)
            pace(count)
        }
        guard let wrong else { return }
        do {
            // Open until then, so that its identity is not given to another file.
            let target = try store.quarantine(digest, content.identity())
            withExtendedLifetime(content) {}
            damaged.append((digest, wrong, .mended(target.map { "moved to \($0)" } ?? "replaced by an upload"), target))
        } catch let error as StoreError where !error.concernsWholeStore {
            isComplete = false
            damaged.append((digest, wrong, .failed(error), nil))
        }
    }

    /// Reports damaged content with the keys that name it, which one walk finds for a whole shard.
    private func tell(of shard: UInt8) throws {
        guard !damaged.isEmpty else { return }
        let digests = Set(damaged.map(\.digest))
        var keys: [Digest: [PayloadKey]] = [:]
        var trashed: [Digest: [PayloadKey]] = [:]
        // A folder that can't be read is reported by the look through the layout.
        func visit(_ tree: String, _ visit: (PayloadKey) -> Void) throws {
            try store.forEachKey(below: tree, shards: { $0 == shard }, unreadable: { _, _ in }) { key, _ in
                if digests.contains(key.digest) { visit(key) }
            }
        }
        try visit(StoreLayout.keys) { keys[$0.digest, default: []].append($0) }
        for deleted in try store.readable(StoreLayout.trash, { _, _ in }, store.timesInTrash) ?? [] {
            try visit(StoreLayout.trash(deletedAt: deleted)) { trashed[$0.digest, default: []].append($0) }
        }
        for (digest, reason, remedy, target) in damaged {
            let damage = Damage(
                digest: digest,
                quarantine: target,
                keys: keys[digest] ?? [],
                trashed: trashed[digest] ?? []
            )
            try report(Finding(.damaged, StoreLayout.object(digest), reason, remedy, damage: damage))
        }
        damaged = []
    }

    private func unreadable(_ path: String, _ error: StoreError) throws {
        isComplete = false
        try report(Finding(.unreadable, path, "can't be read: \(error)"))
    }
}
