import PayloadKey

/// A store in which several keys may share one content. A sweep deletes unreferenced content.
public protocol ContentSharing: PayloadStorage {
    associatedtype Collector: ContentCollector

    /// Starts garbage collection, and excludes all other processes from it for the life of the result.
    ///
    /// - Throws: ``StoreError`` with code `busy` that names the process that is collecting.
    func collector() throws -> Collector

    /// Visits the contents of the selected keys, in the order of their digests.
    ///
    /// - Parameters:
    ///   - includesTrash: also visit the content of selected keys in the trash.
    ///   - visit: receives the content with its selected keys. A key that is added or deleted during the call may or
    ///     may not be included.
    func forEachContent(
        in selection: KeySelection,
        includesTrash: Bool,
        _ visit: (StoredContent) throws -> Void
    ) throws

    /// The number of keys that name a content, including those in the trash. Reads the folders of all keys.
    func keyCount(of digest: Digest) throws -> Int

    /// Checks that the system's clock agrees with the time recorded by processes that store payloads. Called before
    /// anything is deleted because of its age.
    ///
    /// - Throws: ``StoreError`` with code `clockNotTrusted` that names both times.
    func checkClock() throws

    /// Records the system's time, because an operator has confirmed that it is right.
    func trustClock() throws

    /// Deletes folders without keys, and counters of namespaces without keys.
    ///
    /// - Parameter failed: called with the failure of one folder or counter; the call continues with the others when it
    ///   returns.
    func removeUnused(failed: (StoreError) throws -> Void) throws
}

/// Garbage collection in a store, which only one process at a time can do: it excludes others for the life of this
/// value.
public protocol ContentCollector: Sendable {
    /// Deletes unreferenced content, while uploads and downloads continue.
    ///
    /// - Parameters:
    ///   - digests: check only these contents; `nil`: check all.
    ///   - isDryRun: only report, and delete nothing.
    ///   - maximumShare: the largest share of contents to delete, in percent, if the store has over 1,000 of them.
    ///   - expected: the number of contents that `maximumShare` allows in addition, because the caller has deleted
    ///     as many keys.
    ///   - isDoomed: whether to treat a key as deleted, for a dry run.
    ///   - failed: called with the failure of one content or shard; the sweep continues with the others when it
    ///     returns.
    ///   - found: called with the path and the disk usage in bytes of each content that is deleted, or would be.
    /// - Throws: ``StoreError`` if a folder of keys can't be read, because content that its keys name must not be
    ///   deleted; with code `tooMuchToDelete` if `maximumShare` is exceeded.
    @discardableResult
    func sweep(
        only digests: Set<Digest>?,
        isDryRun: Bool,
        maximumShare: Int,
        expected: Int,
        isDoomed: (SweepCandidate) throws -> Bool,
        failed: (StoreError) throws -> Void,
        found: (_ path: String, _ diskUsage: UInt64) throws -> Void
    ) throws -> Swept
}

/// A key that keeps its content unless it is going to be deleted: the key; if it is in the trash, its deletion time in
/// seconds since 1970; and a closure that returns when the key was last stored, or `nil` if it no longer exists.
public typealias SweepCandidate = (key: PayloadKey, deleted: Int?, lastStored: () throws -> Int?)

/// The content that a sweep deleted, or would delete in a dry run.
public struct Swept: Equatable, Sendable {
    /// The number of contents.
    public var contents = 0
    /// Bytes that they used on disk.
    public var diskUsage: UInt64 = 0

    package init() {}
}

/// A content and the keys that name it.
public struct StoredContent: Sendable {
    /// The SHA-256 digest of the content.
    public let digest: Digest
    /// The content's length in bytes; `nil` if it is lost.
    public let size: UInt64?
    /// Bytes that the content uses on disk.
    public let diskUsage: UInt64
    /// The keys that name the content, at least one; those in the trash come last.
    public let keys: [Name]

    /// A key that names the content, when it was last stored (seconds since 1970), and whether it is in the trash.
    public typealias Name = (key: PayloadKey, lastStored: Int, isInTrash: Bool)

    package init(digest: Digest, size: UInt64?, diskUsage: UInt64, keys: [Name]) {
        self.digest = digest
        self.size = size
        self.diskUsage = diskUsage
        self.keys = keys
    }
}
