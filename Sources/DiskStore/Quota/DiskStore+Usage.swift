import Glibc
import Storage
import System
import PayloadKey
import SystemPackage

/// A namespace that has a counter (``UsageCounter``) is counted by everyone: whoever changes `keys/` does it inside
/// ``changing(_:adding:limit:_:)``. A counter is made by the first process that has a quota for the namespace.
///
/// A count holds `usage/counting/<namespace>` locked exclusively while it walks the keys. Meanwhile the counter has no
/// line, and whoever finds that asks for the same lock, shared and without waiting: it gets it when no count is under way,
/// and holds it for its change, so that none begins.
extension DiskStore {
    /// Changes the name of a key, so that it is counted; under the lock of the key's shard.
    ///
    /// - Parameters:
    ///   - bytes: the size that the key will have; zero when it goes.
    ///   - limit: the most bytes that the namespace may have then; `nil`: any number.
    ///   - change: makes or takes the name.
    /// - Throws: ``StoreError`` with code `quotaExceeded`, or `counting` while a count is under way; nothing is changed
    ///   then. What `change` throws.
    @discardableResult
    func changing<Result>(
        _ key: PayloadKey,
        adding bytes: UInt64 = 0,
        limit: UInt64? = nil,
        _ change: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        let namespace = key.namespace.description
        guard let counter = try UsageCounter(namespace, self) else {
            guard limit == nil else { throw StoreError.isCounting(namespace) }
            return try change()
        }
        return try counter.locked { () throws(StoreError) in
            guard let used = try used(counter) else {
                return try betweenCounts(of: namespace) { () throws(StoreError) in
                    guard limit == nil else { throw StoreError.isCounting(namespace) }
                    return try change()
                }
            }
            let present = try size(of: key)
            if let limit, bytes > present {
                try Self.check(bytes - present, limit, used, namespace)
            }
            try counter.write(UsageCounter.Line(epoch: epoch.name(), bytes: used - min(used, present), key: key))
            return try change()
        }
    }

    /// Makes sure that a payload may be stored under a key without touching its namespace's quota: the answer of now,
    /// before the work; a commit asks again.
    ///
    /// Before a namespace's first payload this makes no file: anyone can ask for any namespace, without having a payload.
    ///
    /// - Throws: ``StoreError`` with code `quotaExceeded` that names the figures, or `counting`.
    public func checkQuota(for bytes: UInt64, as key: PayloadKey) throws(StoreError) {
        try waitingBriefly { () throws(StoreError) in try checkQuotaOnce(for: bytes, as: key, isVerified: false) }
    }

    /// - Parameter isVerified: the payload is there to be stored, so that its namespace may be counted.
    func checkQuotaOnce(for bytes: UInt64, as key: PayloadKey, isVerified: Bool) throws(StoreError) {
        // A payload that is there already costs nothing.
        guard let quota = quota(key.namespace), try root.status(of: StoreLayout.key(key)) == nil else { return }
        let name = key.namespace.description
        if try root.status(of: StoreLayout.namespace(name)) == nil {
            try Self.check(bytes, quota, 0, name)
            guard isVerified else { return }
        }
        let used =
            if let counted = try countedUsage(of: key.namespace) { counted } else { try count(key.namespace).now }
        try Self.check(bytes, quota, used, name)
    }

    private static func check(_ more: UInt64, _ quota: UInt64, _ used: UInt64, _ namespace: String) throws(StoreError) {
        let (sum, overflow) = used.addingReportingOverflow(more)
        guard !overflow, sum <= quota else {
            throw StoreError(
                .quotaExceeded,
                "namespace '\(namespace)' has a quota of \(quota) bytes and uses \(used), \(more) more would exceed it"
            )
        }
    }

    /// How many bytes a namespace's keys have in all: its counter's answer, or else a walk's.
    public func usage(of namespace: Namespace) throws(StoreError) -> UInt64 {
        if let counted = try countedUsage(of: namespace) { return counted }
        return try walkedUsage(of: namespace)
    }

    /// Whether uploads and deletions of a namespace are counted: since a process had a quota for it.
    public func isCounted(_ namespace: Namespace) throws(StoreError) -> Bool {
        try root.status(of: StoreLayout.usageCounter(namespace.description)) != nil
    }

    /// The counter's answer; `nil` when there is none.
    func countedUsage(of namespace: Namespace) throws(StoreError) -> UInt64? {
        guard let counter = try UsageCounter(namespace.description, self) else { return nil }
        return try counter.locked { () throws(StoreError) in try used(counter) }
    }

    /// Counts a namespace's keys anew, for who has changed them by hand. Uploads of new keys to it are refused meanwhile
    /// (code `counting`), and deletions wait.
    ///
    /// - Returns: the bytes as they were counted before, where they were, and as they are.
    public func recount(_ namespace: Namespace) throws(StoreError) -> (before: UInt64?, now: UInt64) {
        try count(namespace, evenIfKnown: true)
    }

    // MARK: Counting

    /// What a locked counter says; `nil` when it says nothing of this epoch.
    private func used(_ counter: UsageCounter) throws(StoreError) -> UInt64? {
        guard let line = try counter.line(), line.epoch == (try epoch.name()) else { return nil }
        guard let key = line.key else { return line.bytes }
        let (sum, overflow) = line.bytes.addingReportingOverflow(try size(of: key))
        return overflow ? nil : sum
    }

    private func walkedUsage(of namespace: Namespace) throws(StoreError) -> UInt64 {
        var sum: UInt64 = 0
        do {
            try forEachKey(in: KeySelection(namespace: namespace)) {
                sum = sum.addingReportingOverflow($0.size ?? 0).partialValue
            }
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.system, "count \(namespace): \(error)")
        }
        return sum
    }

    /// Counts the keys of a namespace, unless another process has done it in the meantime.
    ///
    /// - Returns: what was counted before, and what is.
    /// - Throws: ``StoreError`` with code `counting` when another thread of this process counts, this namespace or another
    ///   one: no more than one is to walk, or to wait for other processes, while the others serve.
    private func count(
        _ namespace: Namespace,
        evenIfKnown: Bool = false
    ) throws(StoreError) -> (before: UInt64?, now: UInt64) {
        let isBusy = isCounting.withLock { isCounting in
            defer { isCounting = true }
            return isCounting
        }
        guard !isBusy else { throw StoreError.isCounting(namespace.description) }
        defer { isCounting.withLock { $0 = false } }
        try makeUsageFolders()
        let lock = try lockCount(of: namespace.description)
        defer { withExtendedLifetime(lock) {} }
        let counter = try UsageCounter(making: namespace.description, self)
        let mark = "counting-\(root.kernel.random())"
        let before = try counter.locked { () throws(StoreError) in
            let used = try used(counter)
            if used == nil || evenIfKnown { try counter.begin(mark) }
            return used
        }
        if let before, !evenIfKnown { return (before, before) }
        for _ in 0..<8 {
            // Who found no counter is done by then, and who comes later finds it.
            for shard in UInt8.min...UInt8.max { try withExclusiveLock(of: shard) {} }
            let sum = try walkedUsage(of: namespace)
            let isValid = try counter.locked { () throws(StoreError) in
                // Cleared, content came or went that keys name: their sizes have changed while they were added up.
                guard try counter.isMarked(mark) else {
                    try counter.begin(mark)
                    return false
                }
                try counter.write(UsageCounter.Line(epoch: epoch.name(), bytes: sum, key: nil))
                return true
            }
            if isValid { return (before, sum) }
        }
        throw StoreError.isCounting(namespace.description)
    }

    /// Runs `work` while no count of the namespace is under way, nor begins.
    private func betweenCounts<Result>(
        of namespace: String,
        _ work: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        guard let lock = try tryLockCount(of: namespace, LOCK_SH) else { throw StoreError.isCounting(namespace) }
        defer { withExtendedLifetime(lock) {} }
        return try work()
    }

    /// Locks `usage/counting/<namespace>` exclusively as long as what it returns lives.
    func lockCount(of namespace: String) throws(StoreError) -> Descriptor {
        let path = StoreLayout.usageLock(namespace)
        while true {
            let lock = try openUsageLock(path)
            try lock.lock(LOCK_EX, patience: patience, path)
            if try isNamed(lock, path) { return lock }
        }
    }

    /// Locks `usage/counting/<namespace>` as long as what it returns lives, without waiting; `nil` when another process holds
    /// it.
    func tryLockCount(of namespace: String, _ kind: Int32) throws(StoreError) -> Descriptor? {
        let path = StoreLayout.usageLock(namespace)
        while true {
            let lock = try openUsageLock(path)
            guard try lock.tryLock(kind, path) else { return nil }
            if try isNamed(lock, path) { return lock }
        }
    }

    /// The folder may be missing where a counter is there: neither is synced, and a power loss may leave the one alone.
    private func openUsageLock(_ path: String) throws(StoreError) -> Descriptor {
        if let lock = try root.openIfThere(path, O_RDWR | O_CREAT, mode: 0o640) { return lock }
        try makeUsageFolders()
        return try root.open(path, O_RDWR | O_CREAT, mode: 0o640)
    }

    /// Who removes the file holds it exclusively: whoever has waited meanwhile has one that nobody else asks for.
    private func isNamed(_ lock: Descriptor, _ path: String) throws(StoreError) -> Bool {
        try root.status(of: path)?.identity == lock.status(path).identity
    }

    /// Runs `work` again while a count is under way, for a fifth of a second at most: few keys are counted in a moment,
    /// and many must not hold the thread of a request.
    func waitingBriefly<Result>(_ work: () throws(StoreError) -> Result) throws(StoreError) -> Result {
        for _ in 0..<20 {
            do throws(StoreError) {
                return try work()
            } catch let error where error.code == .counting {
                root.kernel.sleep(.milliseconds(10))
            }
        }
        return try work()
    }

    /// Runs `work` again, when a count that it found under way is over, however long that takes. `work` must hold no shard's
    /// lock when it throws.
    func waitingForCounts<Result>(
        of namespace: Namespace,
        _ work: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        while true {
            do throws(StoreError) {
                return try work()
            } catch let error where error.code == .counting {
                try waitForCount(of: namespace)
            }
        }
    }

    private func waitForCount(of namespace: Namespace) throws(StoreError) {
        let path = StoreLayout.usageLock(namespace.description)
        let lock = try openUsageLock(path)
        while true {
            do throws(StoreError) {
                return try lock.lock(LOCK_SH, patience: DiskStore.commandPatience, path)
            } catch let error where error.code == .busy {
                logger.warning("waiting for a count to end", metadata: ["error": "\(error)"])
            }
        }
    }
}

extension StoreError {
    fileprivate static func isCounting(_ namespace: String) -> StoreError {
        StoreError(.counting, "the use of namespace '\(namespace)' is being counted, try again")
    }
}
