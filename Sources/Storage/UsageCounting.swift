import PayloadKey

/// A store that knows what its namespaces use, and so can keep quotas.
public protocol UsageCounting: PayloadStorage {
    /// Counts what namespaces use, from now on.
    ///
    /// - Parameter hasQuotas: whether a namespace has a quota.
    func keepCounts(hasQuotas: Bool) throws

    /// Looks at every content for what the store has; reads none. Records the time, as a worker that stores payloads does:
    /// not for a command, which must not make a wrong clock the right one.
    func measureUsage() throws -> StoreUsage

    /// The namespaces of a selection that have, or had, a key.
    func namespaces(in selection: KeySelection) throws -> [Namespace]

    /// Whether the bytes of a namespace's keys are counted.
    func isCounted(_ namespace: Namespace) throws -> Bool

    /// The bytes of a namespace's keys.
    func usage(of namespace: Namespace) throws -> UInt64

    /// Counts a namespace's keys again.
    ///
    /// - Returns: the bytes as they were counted before, where they were, and as they are.
    func recount(_ namespace: Namespace) throws -> (before: UInt64?, now: UInt64)
}

/// What a store has.
public struct StoreUsage: Equatable, Sendable {
    /// Different contents.
    public var objects: UInt64 = 0
    /// Bytes that they take on disk (stat(2): `st_blocks`).
    public var bytes: UInt64 = 0

    package init() {}
}
