import PayloadKey
import Storage
import Synchronization

/// A store whose operations fail as a test says.
final class FailingStore: PayloadStorage {
    private let inner: any PayloadStorage
    private let error = Mutex<StoreError?>(nil)

    init(_ inner: any PayloadStorage) { self.inner = inner }

    /// From now on each operation fails with this; `nil`: none.
    func fail(with failure: StoreError?) { error.withLock { $0 = failure } }

    private func failIfAsked() throws(StoreError) {
        if let failure = error.withLock({ $0 }) { throw failure }
    }

    var name: String { inner.name }
    var uploads: UploadFolder { inner.uploads }

    func open(_ key: PayloadKey) throws(StoreError) -> StoredPayload? {
        try failIfAsked()
        return try inner.open(key)
    }

    func checkQuota(for bytes: UInt64, as key: PayloadKey) throws(StoreError) {
        try inner.checkQuota(for: bytes, as: key)
    }

    func commit(_ upload: VerifiedUpload, as key: PayloadKey, onPiece: () throws -> Void) throws -> CommitOutcome {
        try failIfAsked()
        return try inner.commit(upload, as: key, onPiece: onPiece)
    }

    func checkHealth() throws(StoreError) { try inner.checkHealth() }
}
