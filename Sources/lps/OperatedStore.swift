import DiskStore
import PayloadKey
import S3Store
import Storage

/// What commands ask of a store, whether it is on a disk or in a bucket.
protocol OperatedStore: PayloadStorage {
    /// Hands over the keys of a selection.
    ///
    /// - Parameter unreadable: called for what can't be looked at; the walk goes on when it returns.
    func forEachKey(
        in selection: KeySelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (StoredKey) throws -> Void
    ) throws
    /// What is stored under a key; `nil` when there is nothing.
    func find(_ key: PayloadKey) throws(StoreError) -> StoredKey?
    /// Stores a verified upload, however long a count of its namespace takes.
    func store(_ upload: VerifiedUpload, as key: PayloadKey) throws -> CommitOutcome
    /// Deletes a key; false when it was not there.
    func remove(_ key: PayloadKey) throws(StoreError) -> Bool
}

extension OperatedStore {
    func forEachKey(in selection: KeySelection, _ visit: (StoredKey) throws -> Void) throws {
        try forEachKey(in: selection, unreadable: { throw $1 }, visit)
    }
}

extension DiskStore: OperatedStore {
    func forEachKey(
        in selection: KeySelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (StoredKey) throws -> Void
    ) throws {
        try forEachKey(in: selection, shards: { _ in true }, unreadable: unreadable, visit)
    }

    func store(_ upload: VerifiedUpload, as key: PayloadKey) throws -> CommitOutcome {
        try commitWaitingForCounts(upload, as: key)
    }

    func remove(_ key: PayloadKey) throws(StoreError) -> Bool { try delete(key) }
}

extension S3Store: OperatedStore {
    func forEachKey(
        in selection: KeySelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (StoredKey) throws -> Void
    ) throws {
        try forEachKey(in: selection, stray: { _ in }, visit)
    }

    func store(_ upload: VerifiedUpload, as key: PayloadKey) throws -> CommitOutcome {
        try commit(upload, as: key, onPiece: {})
    }

    func remove(_ key: PayloadKey) throws(StoreError) -> Bool {
        guard let found = try find(key) else { return false }
        if let failed = try delete([found]).first {
            throw StoreError(.unavailable, "\(failed.key) is not deleted: \(failed.reason)")
        }
        return true
    }
}
