import Glibc
import PayloadKey
import Storage

/// The one process that collects garbage in a store at a time: it holds `locks/gc` while this value lives.
public struct Collector: ContentCollector {
    /// The fewest contents of which a share is looked at: of a few, any share is ordinary.
    private static let fewContents = 1000
    /// How many objects to delete under one lock: few, since uploads to the shard wait meanwhile.
    private static let batch = 64

    private let store: DiskStore
    private let lock: Descriptor
    private var root: Descriptor { store.root }
    /// How many digests to hold in memory at a time: 32 bytes each.
    package var digestsInMemory = 600_000

    /// - Throws: ``StoreError`` with code `busy` that names the process that collects.
    init(_ store: DiskStore) throws {
        self.store = store
        lock = try store.root.open(StoreLayout.collectorLock, O_RDWR | O_CREAT, mode: 0o640)
        guard try lock.tryLock(LOCK_EX) else {
            let holder = try lock.busy().holders.first.map { ": \($0)" } ?? ""
            throw StoreError(.busy, "another process collects garbage\(holder), try again later")
        }
    }

    /// Deletes the content that neither a key nor the trash names, while uploads and downloads go on: a mark and sweep with
    /// a write barrier. It trusts no clock and no count of links.
    @discardableResult
    public func sweep(
        only digests: Set<Digest>? = nil,
        isDryRun: Bool = false,
        maximumShare: Int = 100,
        isDoomed: (SweepCandidate) throws -> Bool = { _ in false },
        failed: (StoreError) throws -> Void = { throw $0 },
        found: (_ path: String, _ diskUsage: UInt64) throws -> Void = { _, _ in }
    ) throws -> Swept {
        // Content that is stored while this process is stopped would pile up in the barriers.
        root.kernel.holdOffStops(true)
        defer { root.kernel.holdOffStops(false) }
        let shards = digests.map { Set($0.map(\.firstByte)) } ?? Set(UInt8.min...UInt8.max)
        let barriers = try raise(shards)
        // Lowered when they are gone, at the end.
        defer { withExtendedLifetime(barriers) {} }
        var swept = Swept()
        var rest = 0..<256
        while !rest.isEmpty {
            let marked = try mark(rest, shards, isDoomed)
            let wanted = marked.shards.map(UInt8.init).filter(shards.contains)
            try checkShare(of: marked, wanted, digests, maximumShare)
            // Come back after a power loss, a deleted key would have lost its content. One sync is enough for all that were
            // deleted, also by a process that was killed since.
            if !isDryRun { try root.synchronizeFileSystem() }
            for shard in wanted {
                try store.goingOn(failed) {
                    let contents = try unmarked(shard, marked, digests).contents
                    try delete(contents, shard, barriers, isDryRun, failed) { path, diskUsage in
                        swept.contents += 1
                        swept.diskUsage += diskUsage
                        try found(path, diskUsage)
                    }
                    if !isDryRun { try forgetLostContents(of: shard, marked, barriers) }
                }
            }
            rest = marked.shards.upperBound..<256
        }
        return swept
    }

    // MARK: Mark

    /// - Returns: a barrier for each of the shards, by their numbers.
    private func raise(_ shards: Set<UInt8>) throws -> [Barrier?] {
        // A store that was made by hand, or copied without empty folders, may lack it.
        try root.makeFolder(StoreLayout.barriers)
        var barriers = [Barrier?](repeating: nil, count: 256)
        for shard in shards.sorted() {
            barriers[Int(shard)] = try store.withExclusiveLock(of: shard) { try Barrier(raising: shard, root) }
        }
        return barriers
    }

    /// Collects the digests that a key names. Keys come before the trash: one that is moved there meanwhile is met in one of
    /// the two; one that is moved back is in the barrier.
    private func mark(
        _ range: Range<Int>,
        _ shards: Set<UInt8>,
        _ isDoomed: (SweepCandidate) throws -> Bool
    ) throws -> DigestSet {
        var marked = DigestSet(shards: range, capacity: digestsInMemory)
        // Without it, nothing would be named: what is there may be half of a backup.
        guard try root.status(of: StoreLayout.keys)?.isFolder == true else {
            throw StoreError(.damaged, "\(StoreLayout.keys)/ is missing, so no content is deleted")
        }
        try checkFolder(StoreLayout.trash)
        for (tree, deleted) in try store.keyTrees() {
            try checkFolder(tree)
            try store.forEachKey(
                below: tree,
                // Asked for at each folder: the range may have shrunk.
                shards: { shards.contains($0) && marked.shards.contains(Int($0)) },
                unreadable: { path, error in
                    let reason = "\(path) can't be read, so no content is deleted: \(error.action)"
                    throw StoreError(.unreadable, reason, errno: error.errno)
                }
            ) { key, path in
                if try !isDoomed((key, deleted, { try root.status(of: path)?.modified })) { marked.insert(key.digest) }
            }
        }
        return marked
    }

    /// Makes sure that what may hold keys is a folder, if it is there: a link may hide some.
    private func checkFolder(_ path: String) throws {
        guard let status = try root.status(of: path), !status.isFolder else { return }
        throw StoreError(.unreadable, "\(path) is not a folder, so no content is deleted")
    }

    /// The contents of a shard that no key names, as far as the barrier does not list them, and how many there are in all.
    private func unmarked(
        _ shard: UInt8,
        _ marked: DigestSet,
        _ digests: Set<Digest>?
    ) throws -> (contents: [Digest], total: Int) {
        let all = try root.namesIfThere(StoreLayout.objectFolder(shard))
            .compactMap { Digest(hex: $0.utf8) }
            .filter { $0.firstByte == shard }
        return (all.filter { !marked.contains($0) && digests?.contains($0) ?? true }, all.count)
    }

    /// Makes sure that not too much is going to be deleted: that keys were lost is likelier than that.
    ///
    /// - Throws: ``StoreError`` with code `tooMuchToDelete`.
    private func checkShare(
        of marked: DigestSet,
        _ shards: [UInt8],
        _ digests: Set<Digest>?,
        _ maximumShare: Int
    ) throws {
        guard maximumShare < 100 else { return }
        var (total, doomed) = (0, 0)
        for shard in shards {
            // The sweep reports what can't be read.
            guard let found = try? unmarked(shard, marked, digests) else { continue }
            total += found.total
            doomed += found.contents.count
        }
        guard total <= Self.fewContents || doomed * 100 <= total * maximumShare else {
            throw StoreError(
                .tooMuchToDelete,
                "no key names \(doomed) of \(total) contents, more than \(maximumShare) %: they are not deleted"
            )
        }
    }

    // MARK: Sweep

    private func delete(
        _ contents: [Digest],
        _ shard: UInt8,
        _ barriers: [Barrier?],
        _ isDryRun: Bool,
        _ failed: (StoreError) throws -> Void,
        _ deleted: (_ path: String, _ diskUsage: UInt64) throws -> Void
    ) throws {
        for start in stride(from: 0, to: contents.count, by: Self.batch) {
            let batch = contents[start..<min(start + Self.batch, contents.count)].map(StoreLayout.object)
            // An open file is freed when it is closed: after the lock, since it may take its time. One that can't be opened
            // is freed at once.
            let open = isDryRun ? [] : batch.compactMap { try? root.open($0, O_RDONLY | O_NONBLOCK) }
            defer { withExtendedLifetime(open) {} }
            var found: [(path: String, diskUsage: UInt64)] = []
            var failures: [StoreError] = []
            try store.withExclusiveLock(of: shard) {
                let listed = try barriers[Int(shard)]?.digests() ?? []
                for (digest, path) in zip(contents[start...], batch) where !listed.contains(digest) {
                    do {
                        guard let status = try store.regularFile(path) else { continue }
                        if !isDryRun { try root.unlink(path) }
                        found.append((path, status.diskUsage))
                    } catch let error as StoreError {
                        failures.append(error)
                    }
                }
            }
            for object in found { try deleted(object.path, object.diskUsage) }
            for error in failures { try failed(error) }
        }
    }

    /// Removes the marks of lost contents that no key names any more.
    private func forgetLostContents(of shard: UInt8, _ marked: DigestSet, _ barriers: [Barrier?]) throws {
        for name in try root.namesIfThere(StoreLayout.lostContents) where name.hasPrefix(StoreLayout.shard(shard)) {
            guard let digest = Digest(hex: name.utf8), !marked.contains(digest) else { continue }
            try store.withExclusiveLock(of: shard) {
                if try barriers[Int(shard)]?.digests().contains(digest) == true { return }
                try root.unlink(StoreLayout.lostContent(digest))
            }
        }
    }
}

extension DiskStore {
    /// Begins to collect garbage, as the only process that does so, until the result is gone.
    ///
    /// - Throws: ``StoreError`` with code `busy` that names the process that collects.
    public func collector() throws -> Collector { try Collector(self) }
}
