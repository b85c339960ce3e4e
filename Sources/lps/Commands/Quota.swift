import ArgumentParser
import PayloadKey
import Storage
import StorePolicy

/// `lps quota`: tells how much the namespaces use of their quotas.
struct Quota: Command {
    static let configuration = CommandConfiguration(
        commandName: "quota",
        abstract: "Tells how much each namespace uses, of how much.",
        discussion: """
            What a namespace uses is the sum of its payloads' sizes, as its clients see them: content that two keys share \
            counts for both, and what is in the trash counts for none.

            Workers count uploads and deletions; who changes the store by hand, as with rm, makes them count anew with \
            --recount. New payloads of a namespace are refused with 503 while it is counted.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var policy: PolicyOption
    @Option(help: ArgumentHelp("Only this Temporal namespace.", valueName: "name"))
    var namespace: String?
    @Flag(help: "Count the payloads of the namespaces that have a quota anew.")
    var recount = false
    @Flag(help: "A line of JSON for each namespace.")
    var json = false

    func run(_ context: Context) throws {
        let policy = try policy.load(context) ?? StorePolicy()
        let selection = KeySelection(namespace: try namespace.map(parseNamespace))
        let store = try store.openFolder(context, as: (any UsageCounting).self)
        var rows: [Row] = []
        for namespace in try namespaces(of: store, selection, policy) {
            let quota = policy[namespace].quota
            if recount, try quota != nil || store.isCounted(namespace) {
                let (before, now) = try store.recount(namespace)
                rows.append(Row(namespace, used: now, quota: quota, usedBefore: before))
            } else {
                rows.append(Row(namespace, used: try store.usage(of: namespace), quota: quota, usedBefore: nil))
            }
        }
        if json {
            for row in rows { try context.json(row) }
        } else {
            context.print(Output.table([["NAMESPACE", "USES", "QUOTA", "LEFT"]] + rows.map(\.cells)))
            for row in rows where row.wasWrong {
                context.complain("'\(row.namespace)' was counted as \(row.usedBefore ?? 0) bytes, and has \(row.used)")
            }
        }
    }

    /// Those that have, or had, a key, and those that the policy names with a quota; in order of their bytes.
    private func namespaces(
        of store: any UsageCounting,
        _ selection: KeySelection,
        _ policy: StorePolicy
    ) throws -> [Namespace] {
        let named = policy.namespaces.filter { $0.value.quota != nil }.keys
            .filter { selection.namespace == nil || selection.namespace == $0 }
        return Set(try store.namespaces(in: selection) + named).sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
    }

    private struct Row: Encodable {
        let namespace: String
        let used: UInt64
        let quota: UInt64?
        let usedBefore: UInt64?

        init(_ namespace: Namespace, used: UInt64, quota: UInt64?, usedBefore: UInt64?) {
            self.namespace = "\(namespace)"
            self.used = used
            self.quota = quota
            self.usedBefore = usedBefore
        }

        var wasWrong: Bool { usedBefore.map { $0 != used } ?? false }

        var cells: [String] {
            let left = quota.map { $0 > used ? $0 - used : 0 }
            return [namespace, Output.size(used), quota.map(Output.size) ?? "-", left.map(Output.size) ?? "-"]
        }
    }
}
