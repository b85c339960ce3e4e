import PayloadKey
import Storage
import Synchronization
import System

/// The deletion of expired keys, which are looked at again first.
struct KeyDeletion: Sendable {
    let store: any PayloadStorage
    /// Where deleted keys go; `nil`: nowhere.
    let trash: (any TrashKeeping)?
    let expiry: Expiry
    let isDryRun: Bool

    /// - Returns: what became of each key; `nil` when it is gone or was stored again.
    func run(_ keys: [PayloadKey]) throws -> [(PayloadKey, Result<StoredKey?, any Error>)] {
        let outcomes = Mutex<[(PayloadKey, Result<StoredKey?, any Error>)]>([])
        try sideBySide(keys, threads: store.deletionsAtOnce) { key in
            let outcome = Result { try delete(key) }
            outcomes.withLock { $0.append((key, outcome)) }
        }
        return outcomes.withLock { $0 }
    }

    private func delete(_ key: PayloadKey) throws -> StoredKey? {
        let isExpired = { (lastStored: Int) in expiry.isOver(key, lastStored) }
        // The sweep makes all deletions durable.
        if let trash, !isDryRun {
            let stored = try store.find(key)
            return try trash.moveToTrash(key, now: expiry.now, isDurable: false, if: isExpired) ? stored : nil
        }
        if isDryRun { return try store.find(key).flatMap { isExpired($0.lastStored) ? $0 : nil } }
        return try store.remove(key, isDurable: false, if: isExpired)
    }
}
