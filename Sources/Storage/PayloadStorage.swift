import PayloadKey

/// A store of payloads: a tree on a disk (`DiskStore`), or a bucket of an S3 engine (`S3Store`).
///
/// Capabilities that only some stores have are separate protocols: ``ContentSharing``, ``TrashKeeping``,
/// ``UsageCounting``, ``LayoutInspecting``. Every failure is a ``StoreError``, unless a closure of the caller throws
/// something else.
public protocol PayloadStorage: Sendable {
    /// The store's name in messages: its path or URL.
    var name: String { get }
    /// The folder that receives and verifies uploads.
    var uploads: UploadFolder { get }

    // MARK: Requests

    /// Opens the payload stored under a key; `nil` only if it certainly does not exist.
    ///
    /// - Parameter deadline: when to stop waiting for an engine, also while the payload is read; `nil` for the store's
    ///   own limits.
    func open(_ key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> StoredPayload?

    /// Finds the payload stored under a key for the web server; `nil` only if it certainly does not exist.
    ///
    /// - Parameter deadline: as in ``open(_:until:)``.
    func locate(_ key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> (any PayloadLocation)?

    /// Checks that storing a payload under a key would not exceed its namespace's quota.
    ///
    /// - Throws: ``StoreError`` with code `quotaExceeded` or `counting`.
    func checkQuota(for bytes: UInt64, as key: PayloadKey) throws

    /// Commits a verified upload: makes it durable and readable under its key. When this returns, the payload will not
    /// be lost.
    ///
    /// - Parameters:
    ///   - deadline: as in ``open(_:until:)``.
    ///   - onPiece: called for each piece of long work; an error it throws ends the commit.
    func commit(
        _ upload: VerifiedUpload,
        as key: PayloadKey,
        until deadline: ContinuousClock.Instant?,
        onPiece: () throws -> Void
    ) throws -> CommitOutcome

    /// Checks that the store can accept and serve payloads now.
    func checkHealth() throws

    // MARK: Starts

    /// Checks that the backing storage is present and usable.
    ///
    /// - Parameter waiting: whether to retry for some seconds after failures that may be temporary.
    func checkStart(waiting: Bool) throws

    /// Deletes files left by crashed uploads, and logs stray files.
    func tidyUp() throws

    // MARK: Keys

    /// Looks up a key without opening its content; `nil` if the key is not stored.
    func find(_ key: PayloadKey) throws -> StoredKey?

    /// Visits the selected keys, in no order, while uploads and deletions continue: a key that is added or deleted
    /// during the walk may or may not be visited.
    ///
    /// - Parameter unreadable: called for each path that can't be read; the walk continues when it returns.
    func forEachKey(
        in selection: KeySelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (StoredKey) throws -> Void
    ) throws

    /// As ``forEachKey(in:unreadable:_:)``, but passes only the key and when it was last stored, in seconds since 1970.
    ///
    /// - Parameter isWanted: selects namespaces; called for each namespace that has, or had, a key, perhaps more than
    ///   once.
    func forEachAge(
        in selection: KeySelection,
        where isWanted: (Namespace) -> Bool,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (PayloadKey, _ lastStored: Int) throws -> Void
    ) throws

    /// How much later than its recorded age a key may really have been stored, in seconds.
    var ageLag: Int { get }

    /// How many deletions to run at once for the best throughput.
    var deletionsAtOnce: Int { get }

    /// Deletes a key. Downloads in progress continue. Where keys share content, the content stays until the next sweep.
    ///
    /// - Parameters:
    ///   - isDurable: wait until the deletion is on disk. A sweep makes all earlier deletions durable by itself.
    ///   - isUnwanted: whether to delete the key, given when it was last stored (seconds since 1970). Called as late as
    ///     possible, because the key may have been stored again.
    /// - Returns: the deleted key; `nil` if it did not exist, or `isUnwanted` returned false.
    func remove(_ key: PayloadKey, isDurable: Bool, if isUnwanted: (_ lastStored: Int) -> Bool) throws -> StoredKey?

    // MARK: Scrub

    /// The number of bytes that a scrub would read. Reads no content.
    func contentToScrub(_ scope: ScrubScope) throws -> UInt64

    /// Reads content, and moves damaged content to quarantine, while uploads and downloads continue. The keys of
    /// damaged content then answer 404 until the same payload is uploaded again.
    ///
    /// - Parameters:
    ///   - pace: called after each read with its number of bytes; may wait, to limit the rate.
    ///   - report: called with each finding: damaged content, after it is moved, and whatever can't be read.
    /// - Returns: the number of files and bytes read.
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

    /// As ``forEachKey(in:unreadable:_:)``, but throws at the first path that can't be read.
    public func forEachKey(in selection: KeySelection = KeySelection(), _ visit: (StoredKey) throws -> Void) throws {
        try forEachKey(in: selection, unreadable: { throw $1 }, visit)
    }

    /// Deletes a key, durably, whatever its age; `nil` if it did not exist.
    @discardableResult
    public func remove(_ key: PayloadKey) throws -> StoredKey? { try remove(key, isDurable: true) { _ in true } }
}

/// The result of a commit.
public enum CommitOutcome: Sendable {
    /// The key and its content are new.
    case created
    /// The key is new, its content already existed.
    case linked
    /// The key already existed; its age is renewed.
    case existed
}

/// The content that a scrub reads.
public enum ScrubScope: Sendable {
    /// All content.
    case everything
    /// Content stored or changed since the last complete scrub started; all content if there was none, or if the store
    /// keeps no record of scrubs.
    case sinceLast
}

/// The amount of content that a scrub read.
public struct Scrubbed: Equatable, Sendable {
    /// The number of files, or of objects in a bucket.
    public var files = 0
    /// The number of bytes.
    public var bytes: UInt64 = 0

    package init() {}
}
