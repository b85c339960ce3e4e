import PayloadKey
import Storage
import Synchronization
import System

/// The deletion of expired keys, which are looked at again first.
struct KeyDeletion: Sendable {
    /// What became of some keys. One that was gone, or was stored again, is in neither list.
    struct Outcome {
        var deleted: [StoredKey] = []
        var failed: [(key: PayloadKey, error: any Error)] = []
    }

    let store: any PayloadStorage
    /// Where deleted keys go; `nil`: nowhere.
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
        // The sweep makes all deletions durable.
        guard let trash else { return try store.remove(key, isDurable: false, if: isExpired) }
        let stored = try store.find(key)
        return try trash.moveToTrash(key, now: expiry.now, isDurable: false, if: isExpired) ? stored : nil
    }
}
