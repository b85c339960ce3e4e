import Glibc
import PayloadKey
import Storage
import Synchronization

/// Counting a namespace's keys, and waiting for a count.
extension DiskStore {
    /// Runs `work`, and repeats it after a count if `work` finds that the namespace's count is missing or in progress
    /// (code `counting`). A process that has a quota for the namespace makes the count itself.
    ///
    /// `work` must hold no shard's lock when it throws.
    ///
    /// - Parameter isPatient: whether to wait for a count without limit. A request waits for a fifth of a second: a few
    ///   keys are counted in that time, and a count of many must not block its thread.
    func afterCounts<Value>(of namespace: Namespace, isPatient: Bool, _ work: () throws -> Value) throws -> Value {
        var tries = 0
        while true {
            do {
                return try work()
            } catch let error as StoreError where error.code == .counting && (isPatient || tries < 20) {
                tries += 1
                if quota(namespace) != nil, try count(namespace, isPatient: isPatient) != nil { continue }
                if isPatient, quota(namespace) == nil {
                    _ = try waitForCount(of: namespace.description, LOCK_SH, isPatient: true)
                } else {
                    root.kernel.sleep(.milliseconds(10))
                }
            }
        }
    }

    /// Counts a namespace's keys again, for operators who edited files by hand. Meanwhile uploads of new keys to it are
    /// refused (code `counting`), and deletions wait.
    ///
    /// - Returns: the bytes counted before, if there was a count, and the bytes counted now.
    public func recount(_ namespace: Namespace) throws -> (before: UInt64?, now: UInt64) {
        guard let count = try count(namespace, evenIfKnown: true) else {
            throw StoreError.isCounting(namespace.description)
        }
        return count
    }

    /// Counts the keys of a namespace, unless another process has just done it.
    ///
    /// - Returns: the previous and the new count; `nil` if sizes kept changing during the count, or another thread of
    ///   this process is counting any namespace. Only one thread of a process may walk the keys or wait for other
    ///   processes, so that the others keep serving.
    private func count(
        _ namespace: Namespace,
        evenIfKnown: Bool = false,
        isPatient: Bool = false
    ) throws -> (before: UInt64?, now: UInt64)? {
        guard !isCounting.exchange(true, ordering: .acquiring) else { return nil }
        defer { isCounting.store(false, ordering: .releasing) }
        try makeUsageFolders()
        let lock = try waitForCount(of: namespace.description, LOCK_EX, isPatient: isPatient)
        defer { withExtendedLifetime(lock) {} }
        guard let counter = try UsageCounter(namespace.description, self, isMade: true) else { return nil }
        let mark = "counting-\(root.kernel.random())"
        let before = try counter.locked {
            let used = try counter.used()
            if used == nil || evenIfKnown { try counter.begin(mark) }
            return used
        }
        if let before, !evenIfKnown { return (before, before) }
        for _ in 0..<8 {
            // Once each shard was locked, every process that found no counter is done, and every later one finds it.
            for shard in UInt8.min...UInt8.max { try withExclusiveLock(of: shard) {} }
            let sum = try walkedUsage(of: namespace)
            let isValid = try counter.locked {
                // If the mark is gone, content was lost or restored, and the sizes of its keys changed during the
                // count.
                guard try counter.isMarked(mark) else {
                    try counter.begin(mark)
                    return false
                }
                try counter.write(UsageCounter.Line(epoch: epochName(), bytes: sum, key: nil))
                return true
            }
            if isValid { return (before, sum) }
        }
        return nil
    }

    // MARK: The lock of a count

    /// Locks `usage/counting/<namespace>` for the life of the result.
    private func waitForCount(of namespace: String, _ kind: Int32, isPatient: Bool) throws -> Descriptor? {
        try lockCount(of: namespace) { lock in
            do {
                try lock.lock(kind, patience: isPatient ? Self.commandPatience : patience)
                return true
            } catch let error as StoreError where error.code == .busy && isPatient {
                logger.warning("waiting for another process to count a namespace", metadata: ["error": "\(error)"])
                return nil
            }
        }
    }

    /// As ``waitForCount(of:_:isPatient:)``, but without waiting; `nil` if another process holds the lock.
    func tryLockCount(of namespace: String, _ kind: Int32) throws -> Descriptor? {
        try lockCount(of: namespace) { try $0.tryLock(kind) }
    }

    /// - Parameter lock: locks the file; returns `nil` to be called again.
    /// - Returns: the locked file; `nil` if another process holds the lock.
    private func lockCount(of namespace: String, by lock: (Descriptor) throws -> Bool?) throws -> Descriptor? {
        let path = StoreLayout.usageLock(namespace)
        while true {
            let file = try openUsageLock(path)
            guard let isLocked = try lock(file) else { continue }
            guard isLocked else { return nil }
            // The process that deletes the file holds its lock: one that waited for that lock may now have a deleted
            // file, which nobody else opens.
            if try root.status(of: path)?.identity == file.status().identity { return file }
        }
    }

    /// Creates the folder if it is missing although a counter exists: neither is synced, so a power loss may leave just
    /// one.
    private func openUsageLock(_ path: String) throws -> Descriptor {
        if let lock = try root.openIfThere(path, O_RDWR | O_CREAT, mode: 0o640) { return lock }
        try makeUsageFolders()
        return try root.open(path, O_RDWR | O_CREAT, mode: 0o640)
    }
}
