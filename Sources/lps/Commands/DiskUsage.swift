import ArgumentParser
import PayloadKey
import Storage

/// `lps du`: sums keys up by namespace and prefix.
struct DiskUsage: Command {
    static let configuration = CommandConfiguration(
        commandName: "du",
        abstract: "Sums payloads up, by namespace and prefix.",
        discussion: """
            What is in the trash has sums of its own, since it takes space until it is purged.

            On the disk, content that several of the keys share is counted in equal parts for each of them, so the sums are those \
            of the disk.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var selection: SelectionOptions
    @Flag(help: "A line of JSON for each sum.")
    var json = false

    func run(_ context: Context) throws {
        var sums: [Name: Sum] = [:]
        let selection = try selection.selection()
        let store = try store.open(context)
        if let store = store as? any ContentSharing {
            try store.forEachContent(in: selection, includesTrash: true) { content in
                for name in content.keys {
                    let share = Double(content.diskUsage) / Double(content.keys.count)
                    sums[Name(name.key, isInTrash: name.isInTrash), default: Sum()]
                        .add(size: content.size ?? 0, share: share, of: content.diskUsage)
                }
            }
        } else {
            try store.forEachKey(in: selection) { stored in
                sums[Name(stored.key, isInTrash: false), default: Sum()]
                    .add(size: stored.size ?? 0, share: Double(stored.diskUsage), of: stored.diskUsage)
            }
        }
        let sorted = sums.sorted { $0.key < $1.key }
        if json {
            for (name, sum) in sorted { try context.json(Row(name, sum)) }
            return
        }
        let total = sums.values.reduce(into: Sum()) { $0.add($1) }
        let header = ["NAMESPACE/PREFIX", "PAYLOADS", "LOGICAL", "ON DISK", "SAVED"]
        let rows = [header] + sorted.map { name, sum in [name.text] + sum.cells } + [["total"] + total.cells]
        context.print(Output.table(rows))
    }

    /// A namespace with a prefix, in order of their bytes; what is in the trash comes last.
    private struct Name: Hashable, Comparable {
        let namespace: [UInt8]
        let prefix: [UInt8]
        let isInTrash: Bool

        init(_ key: PayloadKey, isInTrash: Bool) {
            namespace = key.namespace.utf8
            prefix = key.prefix?.utf8 ?? []
            self.isInTrash = isInTrash
        }

        var text: String {
            String(decoding: prefix.isEmpty ? namespace : namespace + [UInt8(ascii: "/")] + prefix, as: UTF8.self)
                + (isInTrash ? " (trash)" : "")
        }

        static func < (one: Name, other: Name) -> Bool {
            if one.isInTrash != other.isInTrash { return other.isInTrash }
            return one.namespace == other.namespace
                ? one.prefix.lexicographicallyPrecedes(other.prefix)
                : one.namespace.lexicographicallyPrecedes(other.namespace)
        }
    }

    private struct Sum {
        var payloads = 0
        var logical: UInt64 = 0
        var onDisk = 0.0
        var saved = 0.0

        mutating func add(size: UInt64, share: Double, of diskUsage: UInt64) {
            payloads += 1
            logical += size
            onDisk += share
            saved += Double(diskUsage) - share
        }

        mutating func add(_ other: Sum) {
            payloads += other.payloads
            logical += other.logical
            onDisk += other.onDisk
            saved += other.saved
        }

        var cells: [String] {
            [
                "\(payloads)", Output.size(logical), Output.size(UInt64(onDisk.rounded())),
                Output.size(UInt64(saved.rounded())),
            ]
        }
    }

    private struct Row: Encodable {
        let namespace: String
        let prefix: String
        let isInTrash: Bool
        let payloads: Int
        let logicalBytes: UInt64
        let diskBytes: UInt64
        let savedBytes: UInt64

        init(_ name: Name, _ sum: Sum) {
            namespace = String(decoding: name.namespace, as: UTF8.self)
            prefix = String(decoding: name.prefix, as: UTF8.self)
            isInTrash = name.isInTrash
            payloads = sum.payloads
            logicalBytes = sum.logical
            diskBytes = UInt64(sum.onDisk.rounded())
            savedBytes = UInt64(sum.saved.rounded())
        }
    }
}
