import Glibc
import PayloadKey

extension DiskStore {
    /// Removes the counters of namespaces that have no folder: those whose keys are all gone. The next upload makes one
    /// anew.
    ///
    /// Whoever has opened a counter before holds the shard of the key that it changes: the next count takes each shard
    /// exclusively once it has made its counter, and so walks the keys when that change is done. A count that is under way
    /// holds its lock, and is left alone.
    public func removeUnusedCounters() throws {
        let names = try root.namesIfThere(StoreLayout.usageCounters) + root.namesIfThere(StoreLayout.usageLocks)
        // One that is in both lists is looked at twice: a set would take two names that are equal as text for one.
        for name in names where (try? Namespace(validating: name.utf8)) != nil {
            try removeCounterIfUnused(of: name)
        }
    }

    private func removeCounterIfUnused(of namespace: String) throws {
        let files = [StoreLayout.usageCounter(namespace), StoreLayout.usageLock(namespace)]
        for path in files {
            // What is not ours stays.
            guard try root.status(of: path)?.isRegular ?? true else { return }
        }
        guard try root.status(of: StoreLayout.namespace(namespace)) == nil,
            let lock = try tryLockCount(of: namespace, LOCK_EX)
        else { return }
        defer { withExtendedLifetime(lock) {} }
        // The lock goes last: while there is a counter, whoever needs it asks for the same lock.
        for path in files { try root.unlink(path) }
    }
}
