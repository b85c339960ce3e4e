import PayloadKey

/// A store that counts the usage of its namespaces, which quotas need.
public protocol UsageCounting: PayloadStorage {
    /// Starts to keep counts of the namespaces' usage.
    ///
    /// - Parameter hasQuotas: whether any namespace has a quota.
    func keepCounts(hasQuotas: Bool) throws

    /// Measures the store's disk usage from file attributes; reads no content. Also records the time, as a worker that
    /// stores payloads does: commands must not call this, because they could confirm a wrong clock.
    func measureUsage() throws -> StoreUsage

    /// The selected namespaces that have, or had, a key.
    func namespaces(in selection: KeySelection) throws -> [Namespace]

    /// Whether the store keeps a count for a namespace.
    func isCounted(_ namespace: Namespace) throws -> Bool

    /// The total size of a namespace's payloads, in bytes.
    func usage(of namespace: Namespace) throws -> UInt64

    /// Counts a namespace's keys again, for operators who edited files by hand.
    ///
    /// - Returns: the bytes counted before, if there was a count, and the bytes counted now.
    func recount(_ namespace: Namespace) throws -> (before: UInt64?, now: UInt64)
}

/// The disk usage of a store.
public struct StoreUsage: Equatable, Sendable {
    /// The number of different contents.
    public var objects: UInt64 = 0
    /// Bytes that they use on disk (stat(2): `st_blocks`).
    public var bytes: UInt64 = 0

    package init() {}
}
