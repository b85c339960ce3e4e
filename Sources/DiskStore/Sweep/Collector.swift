import Glibc
import PayloadKey
import Storage

/// Garbage collection in a store, which only one process at a time can do: it holds `locks/gc` for the life of this
/// value.
public struct Collector: ContentCollector {
    /// The number of objects up to which ``sweep`` does not limit the share to delete: in a small store, any share is
    /// normal.
    private static let fewContents = 1000
    /// The number of objects to delete under one lock: few, because uploads to the shard wait meanwhile.
    private static let batch = 64

    private let store: DiskStore
    private let lock: Descriptor
    private var root: Descriptor { store.root }
    /// The number of digests to hold in memory at a time, 32 bytes each.
    package var digestsInMemory = 600_000

    /// - Throws: ``StoreError`` with code `busy` that names the process that is collecting.
    init(_ store: DiskStore) throws {
        self.store = store
        lock = try store.root.open(StoreLayout.collectorLock, O_RDWR | O_CREAT, mode: 0o640)
        guard try lock.tryLock(LOCK_EX) else {
            let holder = try lock.busy().holders.first.map { "process \($0)" } ?? "another process"
            throw StoreError(.busy, "garbage collection lock held by \(holder), try again later")
        }
    }

    /// Deletes unreferenced content, while uploads and downloads continue: a mark and sweep with a write barrier. It
    /// relies neither on clocks nor on link counts.
    @discardableResult
    public func sweep(
        only digests: Set<Digest>? = nil,
        isDryRun: Bool = false,
        maximumShare: Int = 100,
        expected: Int = 0,
        isDoomed: (SweepCandidate) throws -> Bool = { _ in false },
        failed: (StoreError) throws -> Void = { throw $0 },
        found: (_ path: String, _ diskUsage: UInt64) throws -> Void = { _, _ in }
    ) throws -> Swept {
        // While this process is stopped, digests of stored content would accumulate in the barriers.
        root.kernel.holdOffStops(true)
        defer { root.kernel.holdOffStops(false) }
        let shards = digests.map { Set($0.map(\.firstByte)) } ?? Set(UInt8.min...UInt8.max)
        let barriers = try raise(shards)
        // The barriers are lowered when they are deallocated, at the end.
        defer { withExtendedLifetime(barriers) {} }
        var swept = Swept()
        var rest = 0..<256
        while !rest.isEmpty {
            let marked = try mark(rest, shards, isDoomed)
            let wanted = marked.shards.map(UInt8.init).filter(shards.contains)
            try checkShare(of: marked, wanted, digests, maximumShare, expected)
            // If a deleted key returned after a power loss, its content would be lost. One sync covers all deletions so
            // far, including those of processes that were killed.
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

    /// - Returns: the barriers, indexed by shard.
    private func raise(_ shards: Set<UInt8>) throws -> [Barrier?] {
        // The folder may be missing in a store that was created by hand, or copied without empty folders.
        try root.makeFolder(StoreLayout.barriers)
        var barriers = [Barrier?](repeating: nil, count: 256)
        for shard in shards.sorted() {
            barriers[Int(shard)] = try store.withExclusiveLock(of: shard) { try Barrier(raising: shard, root) }
        }
        return barriers
    }

    /// Collects the digests that keys name. Walks the keys before the trash: a key that is moved to the trash meanwhile
    /// is found in one of the two, and one that is moved back is in the barrier.
    private func mark(
        _ range: Range<Int>,
        _ shards: Set<UInt8>,
        _ isDoomed: (SweepCandidate) throws -> Bool
    ) throws -> DigestSet {
        var marked = DigestSet(shards: range, capacity: digestsInMemory)
        // Without keys/, all content would look unreferenced; the store may be an incomplete restore.
        guard try root.status(of: StoreLayout.keys)?.isFolder == true else {
            throw StoreError(.damaged, "\(StoreLayout.keys)/ is missing, so no content is deleted")
        }
        try checkFolder(StoreLayout.trash)
        for (tree, deleted) in try store.keyTrees() {
            try checkFolder(tree)
            try store.forEachKey(
                below: tree,
                // Evaluated for each folder, because the range may have shrunk.
                shards: { shards.contains($0) && marked.shards.contains(Int($0)) },
                unreadable: { path, error in
                    let reason = "\(path) cannot be read, so no content is deleted: \(error.action)"
                    throw StoreError(.unreadable, reason, errno: error.errno)
                }
            ) { key, path in
                if try !isDoomed((key, deleted, { try root.status(of: path)?.modified })) { marked.insert(key.digest) }
            }
        }
        return marked
    }

    /// Checks that a path is a folder if it exists: a link may hide keys.
    private func checkFolder(_ path: String) throws {
        guard let status = try root.status(of: path), !status.isFolder else { return }
        throw StoreError(.unreadable, "\(path) is not a folder, so no content is deleted")
    }

    /// The unmarked contents of a shard, and the number of all its contents. Does not consult the barrier.
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

    /// Checks that the sweep would not delete too much: a large share of unreferenced content probably means that keys
    /// are missing.
    ///
    /// - Throws: ``StoreError`` with code `tooMuchToDelete`.
    private func checkShare(
        of marked: DigestSet,
        _ shards: [UInt8],
        _ digests: Set<Digest>?,
        _ maximumShare: Int,
        _ expected: Int
    ) throws {
        guard maximumShare < 100 else { return }
        var (total, doomed) = (0, 0)
        for shard in shards {
            // The sweep itself reports unreadable folders.
            guard let found = try? unmarked(shard, marked, digests) else { continue }
            total += found.total
            doomed += found.contents.count
        }
        guard total <= Self.fewContents || (doomed - expected) * 100 <= total * maximumShare else {
            throw StoreError(
                .tooMuchToDelete,
                "\(doomed) of \(total) objects are unreferenced, more than \(maximumShare) %: if no keys are missing, "
                    + "run 'lps gc --max-share 100'"
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
            // An open file is freed when it is closed, which may take long, so it is closed after the lock is released.
            // A file that can't be opened is freed at once.
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

    /// Deletes the marks of lost content that no key names any more.
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
    /// Starts garbage collection, and excludes all other processes from it for the life of the result.
    ///
    /// - Throws: ``StoreError`` with code `busy` that names the process that is collecting.
    public func collector() throws -> Collector { try Collector(self) }
}
