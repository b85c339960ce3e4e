import Glibc
import PayloadKey
import Storage
import Synchronization

/// The counting of a namespace's keys, and the waiting for it.
extension DiskStore {
    /// Runs `work`, and again after a count of the namespace that it has found missing or under way (code `counting`). Who
    /// has a quota for the namespace counts it.
    ///
    /// `work` must hold no shard's lock when it throws.
    ///
    /// - Parameter isPatient: wait for a count however long it takes. A request waits for a fifth of a second: few keys are
    ///   counted in a moment, and many must not hold its thread.
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

    /// Counts a namespace's keys again, for operators who changed them by hand. Uploads of new keys to it are refused meanwhile
    /// (code `counting`), and deletions wait.
    ///
    /// - Returns: the bytes as they were counted before, where they were, and as they are.
    public func recount(_ namespace: Namespace) throws -> (before: UInt64?, now: UInt64) {
        guard let count = try count(namespace, evenIfKnown: true) else {
            throw StoreError.isCounting(namespace.description)
        }
        return count
    }

    /// Counts the keys of a namespace, unless another process has done it in the meantime.
    ///
    /// - Returns: what was counted before, and what is; `nil` when sizes have changed again and again meanwhile, or another
    ///   thread of this process counts, this namespace or another one: no more than one is to walk, or to wait for other
    ///   processes, while the others serve.
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
            // Who found no counter is done by then, and who comes later finds it.
            for shard in UInt8.min...UInt8.max { try withExclusiveLock(of: shard) {} }
            let sum = try walkedUsage(of: namespace)
            let isValid = try counter.locked {
                // Cleared, content came or went that keys name: their sizes have changed while they were added up.
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

    /// Locks `usage/counting/<namespace>` as long as what it returns lives.
    private func waitForCount(of namespace: String, _ kind: Int32, isPatient: Bool) throws -> Descriptor? {
        try lockCount(of: namespace) { lock in
            do {
                try lock.lock(kind, patience: isPatient ? Self.commandPatience : patience)
                return true
            } catch let error as StoreError where error.code == .busy && isPatient {
                logger.warning("waiting for a count to end", metadata: ["error": "\(error)"])
                return nil
            }
        }
    }

    /// As ``waitForCount(of:_:isPatient:)`` without waiting; `nil` when another process holds it.
    func tryLockCount(of namespace: String, _ kind: Int32) throws -> Descriptor? {
        try lockCount(of: namespace) { try $0.tryLock(kind) }
    }

    /// - Parameter lock: locks the file; `nil`: it is to be tried again.
    /// - Returns: the locked file; `nil` when another process holds it.
    private func lockCount(of namespace: String, by lock: (Descriptor) throws -> Bool?) throws -> Descriptor? {
        let path = StoreLayout.usageLock(namespace)
        while true {
            let file = try openUsageLock(path)
            guard let isLocked = try lock(file) else { continue }
            guard isLocked else { return nil }
            // Who removes the file holds it exclusively: whoever has waited meanwhile has one that nobody else asks for.
            if try root.status(of: path)?.identity == file.status().identity { return file }
        }
    }

    /// The folder may be missing where a counter is there: neither is synced, and a power loss may leave the one alone.
    private func openUsageLock(_ path: String) throws -> Descriptor {
        if let lock = try root.openIfThere(path, O_RDWR | O_CREAT, mode: 0o640) { return lock }
        try makeUsageFolders()
        return try root.open(path, O_RDWR | O_CREAT, mode: 0o640)
    }
}
