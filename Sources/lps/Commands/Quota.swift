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
    @Option("Only this Temporal namespace.", value: "name")
    var namespace: String?
    @Flag(help: "Count the payloads of the namespaces that have a quota anew.")
    var recount = false
    @Flag(help: "A line of JSON for each namespace.")
    var json = false

    func run(_ context: Context) throws {
        let policy = try policy.load(context) ?? StorePolicy()
        let selection = KeySelection(namespace: try namespace.map(parseNamespace))
        let store = try store.openFolder(context, as: (any UsageCounting).self)
        let rows = try NamespaceUsage.all(in: selection, of: store, policy, recount: recount)
        if json { return try rows.forEach(context.json) }
        context.print(NamespaceUsage.table(rows))
        rows.compactMap(\.correction).forEach(context.complain)
    }
}
