import Glibc
import PayloadKey
import Storage

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
    /// - Throws: ``StoreError`` with code `quotaExceeded`, or `counting` when a count is missing or under way; nothing is
    ///   changed then. What `change` throws.
    @discardableResult
    func changing<Value>(
        _ key: PayloadKey,
        adding bytes: UInt64 = 0,
        limit: UInt64? = nil,
        _ change: () throws -> Value
    ) throws -> Value {
        let namespace = key.namespace.description
        guard let counter = try UsageCounter(namespace, self) else {
            guard limit == nil else { throw StoreError.isCounting(namespace) }
            return try change()
        }
        return try counter.locked {
            guard let used = try counter.used() else {
                guard limit == nil, let lock = try tryLockCount(of: namespace, LOCK_SH) else {
                    throw StoreError.isCounting(namespace)
                }
                defer { withExtendedLifetime(lock) {} }
                return try change()
            }
            let present = try size(of: key)
            if let limit, bytes > present { try Self.check(bytes - present, limit, used, namespace) }
            try counter.write(UsageCounter.Line(epoch: epochName(), bytes: used - min(used, present), key: key))
            return try change()
        }
    }

    /// Makes sure that a payload may be stored under a key without touching its namespace's quota: the answer of now,
    /// before the work; the commit decides.
    ///
    /// Before a namespace's first payload this makes no file: anyone can ask for any namespace, without having a payload.
    ///
    /// - Throws: ``StoreError`` with code `quotaExceeded` that names the figures, or `counting`.
    public func checkQuota(for bytes: UInt64, as key: PayloadKey) throws {
        // A payload that is there already costs nothing.
        guard let quota = quota(key.namespace), try root.status(of: StoreLayout.key(key)) == nil else { return }
        let name = key.namespace.description
        guard try root.status(of: StoreLayout.namespace(name)) != nil else {
            return try Self.check(bytes, quota, 0, name)
        }
        let used = try afterCounts(of: key.namespace, isPatient: false) {
            guard let used = try countedUsage(of: key.namespace) else { throw StoreError.isCounting(name) }
            return used
        }
        try Self.check(bytes, quota, used, name)
    }

    private static func check(_ more: UInt64, _ quota: UInt64, _ used: UInt64, _ namespace: String) throws {
        let (sum, overflow) = used.addingReportingOverflow(more)
        guard !overflow, sum <= quota else {
            throw StoreError(
                .quotaExceeded,
                "namespace '\(namespace)' has a quota of \(quota) bytes and uses \(used), \(more) more would exceed it"
            )
        }
    }

    /// How many bytes a namespace's keys have in all: its counter's answer, or else a walk's.
    public func usage(of namespace: Namespace) throws -> UInt64 {
        try countedUsage(of: namespace) ?? walkedUsage(of: namespace)
    }

    /// Whether uploads and deletions of a namespace are counted: since a process had a quota for it.
    public func isCounted(_ namespace: Namespace) throws -> Bool {
        try root.status(of: StoreLayout.usageCounter(namespace.description)) != nil
    }

    /// The counter's answer; `nil` when there is none.
    func countedUsage(of namespace: Namespace) throws -> UInt64? {
        guard let counter = try UsageCounter(namespace.description, self) else { return nil }
        return try counter.locked(counter.used)
    }

    func walkedUsage(of namespace: Namespace) throws -> UInt64 {
        var sum: UInt64 = 0
        try forEachKey(in: KeySelection(namespace: namespace)) { sum &+= $0.size ?? 0 }
        return sum
    }
}

extension StoreError {
    static func isCounting(_ namespace: String) -> StoreError {
        StoreError(.counting, "the use of namespace '\(namespace)' is being counted, try again")
    }
}
