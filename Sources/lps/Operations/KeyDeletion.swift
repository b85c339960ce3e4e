import PayloadKey
import Storage
import Synchronization
import System

/// Deletes keys that are still expired, several at a time.
struct KeyDeletion: Sendable {
    /// The result for a batch of keys. Keys that no longer exist, or were stored again, are in neither list.
    struct Outcome {
        var deleted: [StoredKey] = []
        var failed: [(key: PayloadKey, error: any Error)] = []
    }

    let store: any PayloadStorage
    /// Where deleted keys are moved; `nil` to delete them at once.
    let trash: (any TrashKeeping)?
    let expiry: Expiry

    func run(_ keys: [PayloadKey]) throws -> Outcome {
        let outcome = Mutex(Outcome())
        try sideBySide(keys, threads: store.deletionsAtOnce) { key in
            do {
                guard let stored = try delete(key) else { return }
                outcome.withLock { $0.deleted.append(stored) }
            } catch {
                outcome.withLock { $0.failed.append((key, error)) }
            }
        }
        return outcome.withLock { $0 }
    }

    private func delete(_ key: PayloadKey) throws -> StoredKey? {
        let isExpired = { (lastStored: Int) in expiry.isOver(key, lastStored) }
        // The sweep syncs all deletions at once.
        guard let trash else { return try store.remove(key, isDurable: false, if: isExpired) }
        let stored = try store.find(key)
        return try trash.moveToTrash(key, now: expiry.now, isDurable: false, if: isExpired) ? stored : nil
    }
}
