import PayloadKey
import Storage

/// What a collection deletes, or would delete, for an operator to look at before it happens: sums by namespace, and on
/// request each key.
final class CollectionReport {
    /// What is deleted of a namespace.
    fileprivate struct Sum {
        /// Keys that are deleted for their age.
        var keys = 0
        /// Bytes that they have, as their clients see them.
        var logicalBytes: UInt64 = 0
        /// When the one was stored that is deleted and is the oldest, in seconds since 1970.
        var oldest: Int?
        /// Keys that are deleted from the trash.
        var purgedKeys = 0

        mutating func add(_ stored: StoredKey) {
            keys += 1
            logicalBytes += stored.size ?? 0
            oldest = min(oldest ?? .max, stored.lastStored)
        }
    }

    private var sums: [Namespace: Sum] = [:]
    /// Contents that no key names any more.
    private var contents = 0
    /// Bytes of the disk, or of the bucket.
    private var freedBytes: UInt64 = 0
    private let list: ((StoredKey, _ isInTrash: Bool) throws -> Void)?

    /// - Parameter list: called for each key.
    init(list: ((StoredKey, _ isInTrash: Bool) throws -> Void)?) { self.list = list }

    /// Whether each key is listed.
    var isListing: Bool { list != nil }

    /// A key is deleted for its age.
    ///
    /// - Parameter isFreed: whether its content is gone with it.
    func deleted(_ stored: StoredKey, isFreed: Bool) throws {
        sums[stored.key.namespace, default: Sum()].add(stored)
        if isFreed { freedBytes += stored.diskUsage }
        try list?(stored, false)
    }

    /// A key is deleted from the trash.
    func purged(_ stored: StoredKey) throws {
        sums[stored.key.namespace, default: Sum()].purgedKeys += 1
        try list?(stored, true)
    }

    /// Content is deleted.
    func swept(_ swept: Swept) {
        contents += swept.contents
        freedBytes += swept.diskUsage
    }

    /// All sums in one.
    var total: Total {
        Total(
            keys: sums.values.reduce(0) { $0 + $1.keys },
            logicalBytes: sums.values.reduce(0) { $0 + $1.logicalBytes },
            purgedKeys: sums.values.reduce(0) { $0 + $1.purgedKeys },
            contents: contents,
            freedBytes: freedBytes
        )
    }

    /// What is deleted in all, as JSON has it.
    struct Total: Encodable {
        let keys: Int
        let logicalBytes: UInt64
        let purgedKeys: Int
        let contents: Int
        let freedBytes: UInt64
    }

    /// In order of their bytes.
    var rows: [Row] { sums.sorted { $0.key < $1.key }.map(Row.init) }

    /// A line for each namespace.
    var table: String {
        Output.table([["NAMESPACE", "KEYS", "SIZE", "OLDEST", "FROM THE TRASH"]] + rows.map(\.cells))
    }

    /// A namespace's sums, as JSON has them.
    struct Row: Encodable {
        let namespace: String
        let keys: Int
        let logicalBytes: UInt64
        let oldest: String?
        let purgedKeys: Int

        fileprivate init(_ namespace: Namespace, _ sum: Sum) {
            self.namespace = "\(namespace)"
            keys = sum.keys
            logicalBytes = sum.logicalBytes
            oldest = sum.oldest.map(Output.time)
            purgedKeys = sum.purgedKeys
        }

        fileprivate var cells: [String] {
            [namespace, "\(keys)", Output.size(logicalBytes), oldest ?? "-", "\(purgedKeys)"]
        }
    }
}
