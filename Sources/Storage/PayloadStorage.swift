import PayloadKey

/// Where payloads are kept: a tree on a disk (`DiskStore`), or a bucket of an engine that speaks S3 (`S3Store`).
///
/// What only one kind of store can do is a protocol of its own: ``ContentSharing``, ``TrashKeeping``, ``UsageCounting``,
/// ``LayoutInspecting``. Every failure is a ``StoreError``, unless a closure of the caller's throws something else.
public protocol PayloadStorage: Sendable {
    /// What is kept where, for people.
    var name: String { get }
    /// Takes uploads in and verifies them.
    var uploads: UploadFolder { get }

    // MARK: Requests

    /// The payload that is stored under a key; `nil` only when it is certain that there is none.
    ///
    /// - Parameter deadline: when to give up waiting for an engine, also while the payload is read; `nil`: the store's own
    ///   limits.
    func open(_ key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> StoredPayload?

    /// Makes sure that a payload may be stored under a key without touching its namespace's quota.
    ///
    /// - Throws: ``StoreError`` with code `quotaExceeded` or `counting`.
    func checkQuota(for bytes: UInt64, as key: PayloadKey) throws

    /// Makes a verified upload readable under its key. When this returns, it will not be lost.
    ///
    /// - Parameters:
    ///   - deadline: as of ``open(_:until:)``.
    ///   - onPiece: called with each piece of long work; what it throws ends it.
    func commit(
        _ upload: VerifiedUpload,
        as key: PayloadKey,
        until deadline: ContinuousClock.Instant?,
        onPiece: () throws -> Void
    ) throws -> CommitOutcome

    /// Makes sure that a payload could be taken and given back now.
    func checkHealth() throws

    // MARK: Starts

    /// Makes sure that what the store is on is there, and can be relied on.
    ///
    /// - Parameter waiting: whether what may pass is waited for, for some seconds.
    func checkStart(waiting: Bool) throws

    /// Removes what crashed uploads have left, and logs what does not belong there.
    func tidyUp() throws

    // MARK: Keys

    /// What is stored under a key; `nil` when there is nothing.
    func find(_ key: PayloadKey) throws -> StoredKey?

    /// Visits the keys of a selection, in no order, while uploads and deletions go on: a key that comes or goes meanwhile
    /// may be among them or not.
    ///
    /// - Parameter unreadable: called for what can't be looked at; the walk goes on when it returns.
    func forEachKey(
        in selection: KeySelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (StoredKey) throws -> Void
    ) throws

    /// As ``forEachKey(in:unreadable:_:)``, with the age alone: when a key was last stored, in seconds since 1970.
    ///
    /// - Parameter isWanted: asked for each namespace that has, or had, a key, perhaps more than once.
    func forEachAge(
        in selection: KeySelection,
        where isWanted: (Namespace) -> Bool,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (PayloadKey, _ lastStored: Int) throws -> Void
    ) throws

    /// Seconds by which a key may have been stored later than its age says.
    var ageLag: Int { get }

    /// How many deletions are worth having under way at once.
    var deletionsAtOnce: Int { get }

    /// Deletes a key. Downloads under way go on. Where content is shared, it stays until the next sweep.
    ///
    /// - Parameters:
    ///   - isDurable: wait until the deletion is on disk. A sweep makes all deletions before it durable by itself.
    ///   - isUnwanted: asked as late as the store can, with when the key was last stored (seconds since 1970): it may have
    ///     been stored again.
    /// - Returns: what was stored under it; `nil` when it was not there, or is wanted.
    func remove(_ key: PayloadKey, isDurable: Bool, if isUnwanted: (_ lastStored: Int) -> Bool) throws -> StoredKey?

    // MARK: Scrub

    /// How many bytes a scrub is going to read; nothing is read for that.
    func contentToScrub(_ scope: ScrubScope) throws -> UInt64

    /// Reads all content, and moves what is damaged to quarantine, while uploads and downloads go on. The keys of damaged
    /// content answer 404 from then on, until the same payload is uploaded again.
    ///
    /// - Parameters:
    ///   - pace: called after so many bytes were read; may take its time.
    ///   - report: called with each finding: damaged content, when it is moved, and what can't be read.
    /// - Returns: what was read.
    func scrub(_ scope: ScrubScope, pace: (_ bytes: Int) -> Void, report: (Finding) throws -> Void) throws -> Scrubbed
}

extension PayloadStorage {
    /// As ``open(_:until:)``, without a deadline.
    public func open(_ key: PayloadKey) throws -> StoredPayload? { try open(key, until: nil) }

    /// As ``commit(_:as:until:onPiece:)``, without a deadline.
    @discardableResult
    public func commit(_ upload: VerifiedUpload, as key: PayloadKey) throws -> CommitOutcome {
        try commit(upload, as: key, until: nil) {}
    }

    /// As ``forEachKey(in:unreadable:_:)``; ends at what can't be looked at.
    public func forEachKey(in selection: KeySelection = KeySelection(), _ visit: (StoredKey) throws -> Void) throws {
        try forEachKey(in: selection, unreadable: { throw $1 }, visit)
    }

    /// Deletes a key; `nil` when it was not there.
    @discardableResult
    public func remove(_ key: PayloadKey) throws -> StoredKey? { try remove(key, isDurable: true) { _ in true } }
}

/// What a commit found.
public enum CommitOutcome: Sendable {
    /// The key and its content are new.
    case created
    /// The key is new, its content was there already.
    case linked
    /// The key was there already; its age is renewed.
    case existed
}

/// What a scrub reads.
public enum ScrubScope: Sendable {
    /// All content.
    case everything
    /// Content that was stored or changed since the last complete scrub began; all content when there was none, or where
    /// no record of scrubs is kept.
    case sinceLast
}

/// What a scrub has read.
public struct Scrubbed: Equatable, Sendable {
    /// Files, or objects of a bucket.
    public var files = 0
    /// Bytes.
    public var bytes: UInt64 = 0

    package init() {}
}
