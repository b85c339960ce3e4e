import PayloadKey
import Storage

/// What a garbage collection deletes, or a dry run would delete: sums by namespace, and on request each key.
final class CollectionReport {
    /// The deletions in one namespace, as in JSON.
    struct Sum: Encodable {
        let namespace: String
        /// Expired keys.
        var keys = 0
        /// The sum of their payloads' sizes, in bytes.
        var logicalBytes: UInt64 = 0
        /// When the oldest of them was last stored.
        var oldest: Output.Time?
        /// Keys purged from the trash.
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

    /// All deletions, as in JSON.
    struct Total: Encodable {
        var keys = 0
        var logicalBytes: UInt64 = 0
        var purgedKeys = 0
        /// Unreferenced objects on disk.
        var contents = 0
        /// Bytes freed on the disk, or in the bucket.
        var freedBytes: UInt64 = 0
    }

    private(set) var total = Total()
    private var sums: [Namespace: Sum] = [:]
    private let list: ((StoredKey, _ isInTrash: Bool) throws -> Void)?

    /// - Parameter list: Called with each deleted key; `nil` to list none.
    init(list: ((StoredKey, _ isInTrash: Bool) throws -> Void)?) { self.list = list }

    var isListing: Bool { list != nil }

    /// Records the deletion of an expired key.
    ///
    /// - Parameter isFreed: Whether its content is deleted with it.
    func deleted(_ stored: StoredKey, isFreed: Bool) throws {
        sums[stored.key.namespace, default: Sum(of: stored.key.namespace)].add(stored)
        total.keys += 1
        total.logicalBytes += stored.size ?? 0
        if isFreed { total.freedBytes += stored.diskUsage }
        try list?(stored, false)
    }

    /// Records that a key was purged.
    func purged(_ stored: StoredKey) throws {
        sums[stored.key.namespace, default: Sum(of: stored.key.namespace)].purgedKeys += 1
        total.purgedKeys += 1
        try list?(stored, true)
    }

    /// Records the result of a sweep.
    func swept(_ swept: Swept) {
        total.contents += swept.contents
        total.freedBytes += swept.diskUsage
    }

    /// The sums by namespace, in byte order of the names.
    var rows: [Sum] { sums.sorted { $0.key < $1.key }.map(\.value) }

    /// The sums as text, one line per namespace.
    var table: String {
        Output.table([["NAMESPACE", "KEYS", "SIZE", "OLDEST", "PURGED"]] + rows.map(\.cells))
    }
}
