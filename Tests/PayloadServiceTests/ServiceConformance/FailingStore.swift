import PayloadKey
import Storage
import Synchronization

/// A store whose reads and commits fail as a test says.
final class FailingStore: PayloadStorage {
    private let inner: any PayloadStorage
    private let error = Mutex<StoreError?>(nil)

    init(_ inner: any PayloadStorage) { self.inner = inner }

    /// From now on each read and each commit fails with this; `nil`: none.
    func fail(with failure: StoreError?) { error.withLock { $0 = failure } }

    private func failIfAsked() throws {
        if let failure = error.withLock({ $0 }) { throw failure }
    }

    func open(_ key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> StoredPayload? {
        try failIfAsked()
        return try inner.open(key, until: deadline)
    }

    func commit(
        _ upload: VerifiedUpload,
        as key: PayloadKey,
        until deadline: ContinuousClock.Instant?,
        onPiece: () throws -> Void
    ) throws -> CommitOutcome {
        try failIfAsked()
        return try inner.commit(upload, as: key, until: deadline, onPiece: onPiece)
    }
}

/// What never fails.
extension FailingStore {
    var name: String { inner.name }
    var uploads: UploadFolder { inner.uploads }
    var ageLag: Int { inner.ageLag }
    var deletionsAtOnce: Int { inner.deletionsAtOnce }
    func checkQuota(for bytes: UInt64, as key: PayloadKey) throws { try inner.checkQuota(for: bytes, as: key) }
    func checkHealth() throws { try inner.checkHealth() }
    func checkStart(waiting: Bool) throws { try inner.checkStart(waiting: waiting) }
    func tidyUp() throws { try inner.tidyUp() }
    func find(_ key: PayloadKey) throws -> StoredKey? { try inner.find(key) }
    func forEachKey(
        in selection: KeySelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (StoredKey) throws -> Void
    ) throws { try inner.forEachKey(in: selection, unreadable: unreadable, visit) }
    func forEachAge(
        in selection: KeySelection,
        where isWanted: (Namespace) -> Bool,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (PayloadKey, _ lastStored: Int) throws -> Void
    ) throws { try inner.forEachAge(in: selection, where: isWanted, unreadable: unreadable, visit) }
    func remove(_ key: PayloadKey, isDurable: Bool, if isUnwanted: (_ lastStored: Int) -> Bool) throws -> StoredKey? {
        try inner.remove(key, isDurable: isDurable, if: isUnwanted)
    }
    func contentToScrub(_ scope: ScrubScope) throws -> UInt64 { try inner.contentToScrub(scope) }
    func scrub(
        _ scope: ScrubScope,
        pace: (_ bytes: Int) -> Void,
        report: (Finding) throws -> Void
    ) throws -> Scrubbed { try inner.scrub(scope, pace: pace, report: report) }
}
