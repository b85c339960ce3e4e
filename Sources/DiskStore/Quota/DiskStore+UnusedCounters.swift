import Glibc
import PayloadKey

extension DiskStore {
    /// Deletes the counters of namespaces that have no folder, because all their keys were deleted. The next upload
    /// creates a new one.
    ///
    /// A process that opened the counter earlier holds the shard lock of the key that it changes. The next count locks
    /// each shard exclusively after it has created its counter, so it walks the keys once that change is done. A count
    /// in progress holds its own lock, and its counter stays.
    public func removeUnusedCounters() throws {
        let names = try root.namesIfThere(StoreLayout.usageCounters) + root.namesIfThere(StoreLayout.usageLocks)
        // A name in both lists is processed twice: a set would merge different names that compare equal as strings.
        for name in names where (try? Namespace(validating: name.utf8)) != nil {
            try removeCounterIfUnused(of: name)
        }
    }

    private func removeCounterIfUnused(of namespace: String) throws {
        let files = [StoreLayout.usageCounter(namespace), StoreLayout.usageLock(namespace)]
        for path in files {
            // Files of other types do not belong to the store, and stay.
            guard try root.status(of: path)?.isRegular ?? true else { return }
        }
        guard try root.status(of: StoreLayout.namespace(namespace)) == nil,
            let lock = try tryLockCount(of: namespace, LOCK_EX)
        else { return }
        defer { withExtendedLifetime(lock) {} }
        // The lock file is deleted last: while a counter exists, every process that needs it uses the same lock file.
        for path in files { try root.unlink(path) }
    }
}
