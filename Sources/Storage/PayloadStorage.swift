import PayloadKey

/// Where payloads are kept: a tree on a disk (`DiskStore`), or a bucket of an engine that speaks S3.
public protocol PayloadStorage: Sendable {
    /// What is kept where, for people.
    var name: String { get }
    /// Takes uploads in and verifies them.
    var uploads: UploadFolder { get }

    /// The payload that is stored under a key; `nil` only when it is certain that there is none.
    ///
    /// - Throws: ``StoreError``.
    func open(_ key: PayloadKey) throws(StoreError) -> StoredPayload?

    /// Makes sure that a payload may be stored under a key without touching its namespace's quota.
    ///
    /// - Throws: ``StoreError`` with code `quotaExceeded` or `counting`.
    func checkQuota(for bytes: UInt64, as key: PayloadKey) throws(StoreError)

    /// Makes a verified upload readable under its key. When this returns, it will not be lost.
    ///
    /// - Parameter onPiece: called with each piece of long work; what it throws ends it.
    /// - Throws: ``StoreError``, or what `onPiece` throws.
    func commit(_ upload: VerifiedUpload, as key: PayloadKey, onPiece: () throws -> Void) throws -> CommitOutcome

    /// Makes sure that a payload could be taken and given back now.
    ///
    /// - Throws: ``StoreError`` that says what is missing.
    func checkHealth() throws(StoreError)
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
