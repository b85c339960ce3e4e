import PayloadKey
import Storage

/// What a collection deletes, or would delete, for an operator to look at before it happens: sums by namespace, and on
/// request each key.
final class CollectionReport {
    /// What is deleted of a namespace.
    struct Sum: Equatable {
        /// Keys that are deleted for their age.
        var keys = 0
        /// Bytes that they have, as their clients see them.
        var logicalBytes: UInt64 = 0
        /// When the one was stored that is deleted and is the oldest, in seconds since 1970.
        var oldest: Int?
        /// Keys that are deleted from the trash.
        var purgedKeys = 0
    }

    private(set) var sums: [Namespace: Sum] = [:]
    private let list: ((StoredKey, _ isInTrash: Bool) throws -> Void)?

    /// - Parameter list: called for each key.
    init(list: ((StoredKey, _ isInTrash: Bool) throws -> Void)? = nil) { self.list = list }

    /// Whether each key is listed.
    var isListing: Bool { list != nil }

    /// A key is deleted for its age.
    func deleted(_ stored: StoredKey) throws {
        var sum = sums[stored.key.namespace] ?? Sum()
        sum.keys += 1
        sum.logicalBytes += stored.size ?? 0
        sum.oldest = min(sum.oldest ?? .max, stored.lastStored)
        sums[stored.key.namespace] = sum
        try list?(stored, false)
    }

    /// A key is deleted from the trash.
    func purged(_ stored: StoredKey) throws {
        sums[stored.key.namespace, default: Sum()].purgedKeys += 1
        try list?(stored, true)
    }

    /// In order of their bytes.
    var rows: [Row] {
        sums.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(Row.init)
    }

    /// A line for each namespace.
    func printTable() {
        guard !sums.isEmpty else { return }
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
