import Glibc
import PayloadKey
import Storage

/// All processes count a namespace that has a counter (``UsageCounter``): they change `keys/` only inside
/// ``changing(_:adding:limit:_:)``. The first process that has a quota for the namespace creates the counter.
///
/// A count holds `usage/counting/<namespace>` locked exclusively while it walks the keys. Meanwhile the counter has no
/// line. A process that finds no line tries to get the same lock, shared and without waiting: it succeeds if no count
/// is in progress, and holds the lock during its change, so that no count starts.
extension DiskStore {
    /// Creates or deletes the name of a key and updates the counter, under the lock of the key's shard.
    ///
    /// - Parameters:
    ///   - bytes: the new size of the key; zero if it is deleted.
    ///   - limit: the largest usage of the namespace after the change, in bytes; `nil` for no limit.
    ///   - change: creates or deletes the name.
    /// - Throws: ``StoreError`` with code `quotaExceeded`, or `counting` if a count is missing or in progress; nothing
    ///   is changed then. Also what `change` throws.
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

    /// Checks that storing a payload under a key would not exceed its namespace's quota. This is a check before the
    /// work starts; the commit decides.
    ///
    /// Creates no file before a namespace's first payload, because anyone can send requests for any namespace without
    /// having a payload.
    ///
    /// - Throws: ``StoreError`` with code `quotaExceeded` that names the figures, or `counting`.
    public func checkQuota(for bytes: UInt64, as key: PayloadKey) throws {
        // A payload that is already stored costs nothing.
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

    /// The total size of a namespace's payloads, in bytes: from its counter, or else from a walk.
    public func usage(of namespace: Namespace) throws -> UInt64 {
        try countedUsage(of: namespace) ?? walkedUsage(of: namespace)
    }

    /// Whether the namespace has a counter, because some process had a quota for it.
    public func isCounted(_ namespace: Namespace) throws -> Bool {
        try root.status(of: StoreLayout.usageCounter(namespace.description)) != nil
    }

    /// The counter's value; `nil` if there is none.
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
