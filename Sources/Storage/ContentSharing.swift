import PayloadKey

/// A store in which several keys may name one content. What no key names any more is deleted by a sweep.
public protocol ContentSharing: PayloadStorage {
    associatedtype Collector: ContentCollector

    /// Begins to collect garbage, as the only process that does so, until the result is gone.
    ///
    /// - Throws: ``StoreError`` with code `busy` that names the process that collects.
    func collector() throws -> Collector

    /// Visits the contents that the keys of a selection name, in the order of their digests.
    ///
    /// - Parameters:
    ///   - includesTrash: also the keys of the selection that are in the trash.
    ///   - visit: gets the keys of the selection that name the content. A key that comes or goes meanwhile may be among them
    ///     or not.
    func forEachContent(
        in selection: KeySelection,
        includesTrash: Bool,
        _ visit: (StoredContent) throws -> Void
    ) throws

    /// How many keys name a content, those in the trash included. Looks through the folders of all keys.
    func keyCount(of digest: Digest) throws -> Int

    /// Makes sure that the system's clock agrees with what processes that store payloads have recorded, before anything
    /// is deleted for its age.
    ///
    /// - Throws: ``StoreError`` with code `clockNotTrusted` that names both times.
    func checkClock() throws

    /// Makes the system's time the recorded one, since an operator says that it is right.
    func trustClock() throws

    /// Removes folders that hold no keys, and counters of namespaces that have none.
    ///
    /// - Parameter failed: called with what one of them has failed with; the others follow when it returns.
    func removeUnused(failed: (StoreError) throws -> Void) throws
}

/// The one process that collects garbage in a store at a time, while this value lives.
public protocol ContentCollector: Sendable {
    /// Deletes the content that neither a key nor the trash names, while uploads and downloads go on.
    ///
    /// - Parameters:
    ///   - digests: look only at these contents; `nil`: at all.
    ///   - isDryRun: delete nothing.
    ///   - maximumShare: the most contents to delete, in percent, of a store with over 1,000 of them.
    ///   - isDoomed: whether a key counts as deleted, for a dry run.
    ///   - failed: called with what one content or shard has failed with; the others follow when it returns.
    ///   - found: called with the path of each content that is deleted, or would be, and the bytes it takes.
    /// - Throws: ``StoreError`` when a folder of keys can't be read: content that it names must not be deleted; with code
    ///   `tooMuchToDelete` when the share is exceeded.
    @discardableResult
    func sweep(
        only digests: Set<Digest>?,
        isDryRun: Bool,
        maximumShare: Int,
        isDoomed: (SweepCandidate) throws -> Bool,
        failed: (StoreError) throws -> Void,
        found: (_ path: String, _ diskUsage: UInt64) throws -> Void
    ) throws -> Swept
}

/// A key that keeps its content, unless it is going to be deleted: when it was deleted, in seconds since 1970, where it is in
/// the trash, and when it was last stored; `nil` when it has gone.
public typealias SweepCandidate = (key: PayloadKey, deleted: Int?, lastStored: () throws -> Int?)

/// What a sweep has deleted, or would delete.
public struct Swept: Equatable, Sendable {
    /// Contents.
    public var contents = 0
    /// Bytes that they took on the disk.
    public var diskUsage: UInt64 = 0

    package init() {}
}

/// A content with the keys that name it.
public struct StoredContent: Sendable {
    /// Its digest.
    public let digest: Digest
    /// Bytes; `nil` when it is lost.
    public let size: UInt64?
    /// Bytes that it takes on the disk.
    public let diskUsage: UInt64
    /// The keys, at least one, with when they were last stored, in seconds since 1970; those in the trash come last.
    public let keys: [Name]

    /// A key that names the content, and whether it is deleted, and in the trash.
    public typealias Name = (key: PayloadKey, lastStored: Int, isInTrash: Bool)

    package init(digest: Digest, size: UInt64?, diskUsage: UInt64, keys: [Name]) {
        self.digest = digest
        self.size = size
        self.diskUsage = diskUsage
        self.keys = keys
    }
}
