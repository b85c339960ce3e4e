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

    /// Damaged content, and what was done with it.
    private typealias Damaged = (digest: Digest, reason: String, remedy: Finding.Remedy, target: String?)

    init(store: DiskStore, since: Int64, pace: @escaping (Int) -> Void, report: @escaping (Finding) throws -> Void) {
        self.store = store
        self.since = since
        self.pace = pace
        self.report = report
    }

    func objects(of shard: UInt8) throws {
        var damaged: [Damaged] = []
        do {
            try read(shard, &damaged)
        } catch {
            // What was moved is told all the same.
            try tell(of: damaged, shard)
            throw error
        }
        try tell(of: damaged, shard)
    }

    private func read(_ shard: UInt8, _ damaged: inout [Damaged]) throws {
        let folder = StoreLayout.objectFolder(shard)
        for name in try store.readable(folder, unreadable, { try store.root.namesIfThere(folder) }) ?? [] {
            guard let digest = Digest(hex: name.utf8), digest.firstByte == shard else { continue }
            let path = StoreLayout.object(digest)
            if let found = try store.readable(path, unreadable, { try check(digest, path) }) { damaged.append(found) }
        }
    }

    /// Reads an object; what is damaged is moved.
    private func check(_ digest: Digest, _ path: String) throws -> Damaged? {
        // What is no file is reported with the other strays.
        guard let status = try store.root.status(of: path), status.isRegular, status.changed >= since,
            let content = try FileContent(path, below: store.root)
        else { return nil }
        read.files += 1
        let wrong = try store.wrongContent(content, digest) { count in
            read.bytes += UInt64(count)
            pace(count)
        }
        guard let wrong else { return nil }
        do {
            // Open until then, so that its identity is not given to another file.
            let target = try store.quarantine(digest, content.identity())
            withExtendedLifetime(content) {}
            return (digest, wrong, .mended(target.map { "moved to \($0)" } ?? "replaced by an upload"), target)
        } catch let error as StoreError where !error.concernsWholeStore {
            isComplete = false
            return (digest, wrong, .failed(error), nil)
        }
    }

    /// Reports damaged content with the keys that name it, which one walk finds for a whole shard.
    private func tell(of damaged: [Damaged], _ shard: UInt8) throws {
        guard !damaged.isEmpty else { return }
        let digests = Set(damaged.map(\.digest))
        var keys: [Digest: [PayloadKey]] = [:]
        var trashed: [Digest: [PayloadKey]] = [:]
        // A folder that can't be read is reported by the look through the layout.
        try store.forEachKey(below: StoreLayout.keys, shards: { $0 == shard }, unreadable: { _, _ in }) { key, _ in
            if digests.contains(key.digest) { keys[key.digest, default: []].append(key) }
        }
        for deleted in try store.readable(StoreLayout.trash, { _, _ in }, store.timesInTrash) ?? [] {
            let tree = StoreLayout.trash(deletedAt: deleted)
            try store.forEachKey(below: tree, shards: { $0 == shard }, unreadable: { _, _ in }) { key, _ in
                if digests.contains(key.digest) { trashed[key.digest, default: []].append(key) }
            }
        }
        for content in damaged {
            try report(
                Finding(
                    .damaged,
                    StoreLayout.object(content.digest),
                    content.reason,
                    content.remedy,
                    damage: Damage(
                        digest: content.digest,
                        quarantine: content.target,
                        keys: keys[content.digest] ?? [],
                        trashed: trashed[content.digest] ?? []
                    )
                )
            )
        }
    }

    private func unreadable(_ path: String, _ error: StoreError) throws {
        isComplete = false
        try report(Finding(.unreadable, path, "can't be read: \(error)"))
    }
}
