import Glibc
import PayloadKey
import Storage
import System
import SystemPackage

/// The one process that collects garbage in a store at a time: it holds `locks/gc` while this value lives.
public struct Collector: Sendable {
    /// What a sweep has deleted, or would delete.
    public struct Swept: Equatable, Sendable {
        /// Contents.
        public var contents = 0
        /// Bytes that they took on the disk.
        public var diskUsage: UInt64 = 0
    }

    /// A key that keeps its content, unless it is going to be deleted.
    public struct Candidate {
        /// The key.
        public let key: PayloadKey
        /// When it was deleted, in seconds since 1970, where it is in the trash; `nil` for a key that is not deleted.
        public let deleted: Int?
        fileprivate let path: String
        fileprivate let root: Descriptor

        /// When it was last stored, in seconds since 1970; `nil` when it has gone.
        public func lastStored() throws(StoreError) -> Int? { try root.status(of: path)?.modified }
    }

    /// About how many digests to hold in memory at a time: 32 bytes each, as many again while they are sorted.
    public static let digestsInMemory = 250_000
    /// How many objects to delete under one lock: few, since uploads to the shard wait meanwhile.
    static let batch = 64

    let store: DiskStore
    private let lock: Descriptor

    /// - Throws: ``StoreError`` with code `busy` that names the process that collects.
    init(_ store: DiskStore) throws(StoreError) {
        self.store = store
        let path = StoreLayout.collectorLock
        lock = try store.root.open(path, O_RDWR | O_CREAT, mode: 0o640)
        guard try lock.tryLock(LOCK_EX, path) else {
            let holder = try lock.busy(path).holders.first
            throw StoreError(
                .busy,
                "garbage is being collected by another process\(holder.map { " (\($0))" } ?? ""), try again later"
            )
        }
    }

    /// Deletes the content that neither a key nor the trash names, while uploads and downloads go on: a mark and sweep with
    /// a write barrier. It trusts no clock and no count of links.
    ///
    /// - Parameters:
    ///   - shards: look only at these.
    ///   - isDryRun: delete nothing.
    ///   - isDoomed: whether a key counts as deleted, for a dry run.
    ///   - failed: called with what one shard has failed with; the others follow when it returns.
    ///   - found: called with the path of each content that is deleted, or would be, and the bytes it takes.
    /// - Throws: ``StoreError`` when a folder of keys can't be read: content that it names must not be deleted; or what
    ///   `failed` and `found` throw.
    @discardableResult
    public func sweep(
        shards: Range<Int> = 0..<256,
        isDryRun: Bool = false,
        digestsInMemory: Int = Self.digestsInMemory,
        isDoomed: (Candidate) throws -> Bool = { _ in false },
        failed: (StoreError) throws -> Void = { throw $0 },
        found: (_ path: String, _ diskUsage: UInt64) throws -> Void = { _, _ in }
    ) throws -> Swept {
        let barriers = try raise(shards)
        defer { for barrier in barriers.values { try? barrier.lower(store.root) } }
        var swept = Swept()
        var rest = shards
        while !rest.isEmpty {
            let marked = try mark(rest, digestsInMemory, isDoomed)
            if !isDryRun { try makeDeletionsDurable() }
            for shard in marked.shards.map(UInt8.init) {
                guard let barrier = barriers[shard] else { continue }
                do {
                    try sweep(shard, marked, barrier, isDryRun, found, &swept)
                } catch let error as StoreError {
                    try failed(error)
                }
            }
            rest = marked.shards.upperBound..<shards.upperBound
        }
        return swept
    }

    // MARK: Steps

    private func raise(_ shards: Range<Int>) throws(StoreError) -> [UInt8: Barrier] {
        try store.root.makeFolder(StoreLayout.barriers)
        var barriers: [UInt8: Barrier] = [:]
        for shard in shards.map(UInt8.init) {
            barriers[shard] = try store.withExclusiveLock(of: shard) { () throws(StoreError) in
                try Barrier(raising: shard, store.root)
            }
        }
        return barriers
    }

    /// Collects the digests that a key names. Keys come before the trash: one that is moved there meanwhile is met in one of
    /// the two; one that is moved back is in the barrier.
    private func mark(
        _ shards: Range<Int>,
        _ capacity: Int,
        _ isDoomed: (Candidate) throws -> Bool
    ) throws -> DigestSet {
        var marked = DigestSet(shards: shards, capacity: capacity)
        let walk = KeyWalk(root: store.root)
        let trash = try store.timesInTrash().map { (StoreLayout.trash(deletedAt: $0), Optional($0)) }
        for (tree, deleted) in [(StoreLayout.keys, nil)] + trash {
            for namespace in try store.namespaces(in: KeySelection(), below: tree) {
                // The range is asked for again at each folder: it may have shrunk.
                try walk.namespace(namespace, in: tree, shards: { marked.shards.contains(Int($0)) }) { entry in
                    switch entry {
                    case .key(let key, let path):
                        let candidate = Candidate(key: key, deleted: deleted, path: path, root: store.root)
                        if try !isDoomed(candidate) { marked.insert(key.digest) }
                    case .unreadable(let path, let error):
                        throw StoreError(
                            error.code,
                            "\(path) can't be read, so no content is deleted: \(error.action)",
                            errno: error.errno
                        )
                    case .folder, .stray, .notUTF8: break
                    }
                }
            }
        }
        marked.sort()
        return marked
    }

    /// Come back after a power loss, a deleted key would have lost its content. One sync is enough for all that were
    /// deleted, also by a process that was killed since.
    private func makeDeletionsDurable() throws(StoreError) {
        let root = store.root
        try call("sync the file system of \(store.path)") { () throws(Errno) in
            try root.kernel.synchronizeFileSystem(of: root.rawValue)
        }
    }

    private func sweep(
        _ shard: UInt8,
        _ marked: DigestSet,
        _ barrier: Barrier,
        _ isDryRun: Bool,
        _ found: (String, UInt64) throws -> Void,
        _ swept: inout Swept
    ) throws {
        let folder = StoreLayout.objectFolder(shard)
        let unmarked = try store.root.namesIfThere(folder).compactMap { Digest(hex: $0.utf8) }
            .filter { $0.firstByte == shard && !marked.contains($0) }
        for start in stride(from: 0, to: unmarked.count, by: Self.batch) {
            let batch = unmarked[start..<min(start + Self.batch, unmarked.count)]
            let deleted = try store.withExclusiveLock(of: shard) { () throws(StoreError) in
                try delete(batch, unlessIn: barrier, isDryRun)
            }
            for (path, diskUsage) in deleted {
                swept.contents += 1
                swept.diskUsage += diskUsage
                try found(path, diskUsage)
            }
        }
    }

    private func delete(
        _ unmarked: ArraySlice<Digest>,
        unlessIn barrier: Barrier,
        _ isDryRun: Bool
    ) throws(StoreError) -> [(path: String, diskUsage: UInt64)] {
        let stored = try barrier.digests()
        var deleted: [(String, UInt64)] = []
        for digest in unmarked where !stored.contains(digest) {
            let path = StoreLayout.object(digest)
            guard let status = try store.root.status(of: path), status.isRegular else { continue }
            if !isDryRun { try store.root.unlink(path) }
            deleted.append((path, status.diskUsage))
        }
        return deleted
    }
}

extension DiskStore {
    /// Begins to collect garbage, as the only process that does so, until the result is gone.
    ///
    /// - Throws: ``StoreError`` with code `busy` that names the process that collects.
    public func collector() throws(StoreError) -> Collector { try Collector(self) }
}
