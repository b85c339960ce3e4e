import PayloadKey
import Storage

/// The disk usage of a store's payloads, by namespace and prefix.
struct UsageSums {
    private var sums: [Group: Sum] = [:]

    /// Sums up a selection, including the trash.
    ///
    /// - Throws: ``StoreError``.
    init(_ selection: KeySelection, of store: any PayloadStorage) throws {
        if let store = store as? any ContentSharing {
            try store.forEachContent(in: selection, includesTrash: true) { content in
                let share = Double(content.diskUsage) / Double(content.keys.count)
                let saved = Double(content.diskUsage) - share
                let sum = Sum(payloads: 1, logical: content.size ?? 0, onDisk: share, saved: saved)
                for name in content.keys { sums[Group(name.key, isInTrash: name.isInTrash), default: Sum()] += sum }
            }
        } else {
            try store.forEachKey(in: selection) { stored in
                let sum = Sum(payloads: 1, logical: stored.size ?? 0, onDisk: Double(stored.diskUsage))
                sums[Group(stored.key, isInTrash: false), default: Sum()] += sum
            }
        }
    }

    /// The sums as in JSON, sorted by group.
    var rows: [Row] { sorted.map(Row.init) }

    private var sorted: [(key: Group, value: Sum)] { sums.sorted { $0.key.order < $1.key.order } }

    /// The sums as text: one line per group, and one for the total.
    var table: String {
        let header = ["NAMESPACE/PREFIX", "PAYLOADS", "LOGICAL", "ON DISK", "SAVED"]
        let rows = sorted.map { group, sum in [group.text] + sum.cells }
        let total = sums.values.reduce(into: Sum()) { $0 += $1 }
        return Output.table([header] + rows + [["total"] + total.cells])
    }

    /// The keys of a namespace with the same prefix. Groups are in byte order, with the trash last.
    fileprivate struct Group: Hashable {
        let namespace: Namespace
        /// The prefix, in ASCII; empty for `common`.
        let prefix: String
        let isInTrash: Bool

        init(_ key: PayloadKey, isInTrash: Bool) {
            namespace = key.namespace
            prefix = key.prefix?.description ?? ""
            self.isInTrash = isInTrash
        }

        var text: String { "\(namespace)\(prefix.isEmpty ? "" : "/")\(prefix)\(isInTrash ? " (trash)" : "")" }
        var order: (Int, Namespace, String) { (isInTrash ? 1 : 0, namespace, prefix) }
    }

    fileprivate struct Sum {
        var payloads = 0
        var logical: UInt64 = 0
        /// Bytes; shared content is divided equally among its keys.
        var onDisk = 0.0
        /// Bytes that sharing saves.
        var saved = 0.0

        static func += (sum: inout Sum, other: Sum) {
            sum.payloads += other.payloads
            sum.logical += other.logical
            sum.onDisk += other.onDisk
            sum.saved += other.saved
        }

        var diskBytes: UInt64 { UInt64(onDisk.rounded()) }
        var savedBytes: UInt64 { UInt64(saved.rounded()) }
        var cells: [String] { ["\(payloads)"] + [logical, diskBytes, savedBytes].map(Output.size) }
    }

    /// A group's sum, as in JSON.
    struct Row: Encodable {
        let namespace: String
        let prefix: String
        let isInTrash: Bool
        let payloads: Int
        let logicalBytes: UInt64
        let diskBytes: UInt64
        let savedBytes: UInt64

        fileprivate init(_ group: Group, _ sum: Sum) {
            namespace = "\(group.namespace)"
            prefix = group.prefix
            isInTrash = group.isInTrash
            payloads = sum.payloads
            logicalBytes = sum.logical
            diskBytes = sum.diskBytes
            savedBytes = sum.savedBytes
        }
    }
}
