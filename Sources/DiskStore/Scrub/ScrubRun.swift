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
    private typealias Damaged = (digest: Digest, reason: String, target: String?, failure: StoreError?)

    init(
        store: DiskStore,
        since: Int64,
        pace: @escaping (Int) -> Void,
        report: @escaping (Finding) throws -> Void
    ) {
        self.store = store
        self.since = since
        self.pace = pace
        self.report = report
    }

    func objects(of shard: UInt8) throws {
        let folder = StoreLayout.objectFolder(shard)
        let names = Result { () throws(StoreError) in try store.root.namesIfThere(folder) }
        var damaged: [Damaged] = []
        for name in try names.readable({ try unreadable(folder, $0) }) ?? [] {
            guard let digest = Digest(hex: name.utf8), digest.firstByte == shard else { continue }
            guard let wrong = try check(digest) else { continue }
            let move = Result { () throws(StoreError) in try store.quarantine(digest, wrong) }
            switch move {
            case .success(let target): damaged.append((digest, wrong.reason, target, nil))
            case .failure(let error):
                if error.concernsWholeStore {
                    // What was moved is told all the same.
                    try tell(of: damaged, shard)
                    throw error
                }
                isComplete = false
                damaged.append((digest, wrong.reason, nil, error))
            }
        }
        try tell(of: damaged, shard)
    }

    private func check(_ digest: Digest) throws -> WrongContent? {
        let path = StoreLayout.object(digest)
        do {
            // What is no file is reported with the other strays.
            guard let status = try store.root.status(of: path), status.isRegular, status.changed >= since,
                let content = try FileContent(path, below: store.root)
            else { return nil }
            read.files += 1
            return try store.wrongContent(content, digest) { count in
                read.bytes += UInt64(count)
                pace(count)
            }
        } catch let error as StoreError where error.isUnreadable {
            try unreadable(path, error)
            return nil
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
        for deleted in (try? store.timesInTrash()) ?? [] {
            let tree = StoreLayout.trash(deletedAt: deleted)
            try store.forEachKey(below: tree, shards: { $0 == shard }, unreadable: { _, _ in }) { key, _ in
                if digests.contains(key.digest) { trashed[key.digest, default: []].append(key) }
            }
        }
        for content in damaged {
            let remedy: Finding.Remedy =
                if let failure = content.failure {
                    .failed(failure)
                } else {
                    .mended(content.target.map { "moved to \($0)" } ?? "replaced by an upload")
                }
            try report(
                Finding(
                    .damaged,
                    StoreLayout.object(content.digest),
                    content.reason,
                    remedy,
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
