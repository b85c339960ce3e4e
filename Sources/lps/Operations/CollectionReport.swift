import PayloadKey
import Storage

/// What a collection deletes, or would delete, for an operator to look at before it happens: sums by namespace, and on
/// request each key.
final class CollectionReport {
    /// What is deleted of a namespace.
    struct Sum: Encodable {
        let namespace: String
        /// Keys that are deleted for their age.
        var keys = 0
        /// Bytes that they have, as their clients see them.
        var logicalBytes: UInt64 = 0
        /// When the one was stored that is deleted and is the oldest.
        var oldest: Output.Time?
        /// Keys that are deleted from the trash.
        var purgedKeys = 0

        fileprivate init(of namespace: Namespace) { self.namespace = "\(namespace)" }

        fileprivate mutating func add(_ stored: StoredKey) {
            keys += 1
            logicalBytes += stored.size ?? 0
            let time = Output.Time(seconds: stored.lastStored)
            oldest = min(oldest ?? time, time)
        }

        fileprivate var cells: [String] {
            [namespace, "\(keys)", Output.size(logicalBytes), oldest?.description ?? "-", "\(purgedKeys)"]
        }
    }

    /// What is deleted in all, as JSON has it.
    struct Total: Encodable {
        var keys = 0
        var logicalBytes: UInt64 = 0
        var purgedKeys = 0
        /// Contents that no key names any more.
        var contents = 0
        /// Bytes of the disk, or of the bucket.
        var freedBytes: UInt64 = 0
    }

    private(set) var total = Total()
    private var sums: [Namespace: Sum] = [:]
    private let list: ((StoredKey, _ isInTrash: Bool) throws -> Void)?

    /// - Parameter list: called for each key.
    init(list: ((StoredKey, _ isInTrash: Bool) throws -> Void)?) { self.list = list }

    /// Whether each key is listed.
    var isListing: Bool { list != nil }

    /// A key is deleted for its age.
    ///
    /// - Parameter isFreed: whether its content is gone with it.
    func deleted(_ stored: StoredKey, isFreed: Bool) throws {
        sums[stored.key.namespace, default: Sum(of: stored.key.namespace)].add(stored)
        total.keys += 1
        total.logicalBytes += stored.size ?? 0
        if isFreed { total.freedBytes += stored.diskUsage }
        try list?(stored, false)
    }

    /// A key is deleted from the trash.
    func purged(_ stored: StoredKey) throws {
        sums[stored.key.namespace, default: Sum(of: stored.key.namespace)].purgedKeys += 1
        total.purgedKeys += 1
        try list?(stored, true)
    }

    /// Content is deleted.
    func swept(_ swept: Swept) {
        total.contents += swept.contents
        total.freedBytes += swept.diskUsage
    }

    /// In order of their namespaces' bytes.
    var rows: [Sum] { sums.sorted { $0.key < $1.key }.map(\.value) }

    /// A line for each namespace.
    var table: String {
        Output.table([["NAMESPACE", "KEYS", "SIZE", "OLDEST", "FROM THE TRASH"]] + rows.map(\.cells))
    }
}
