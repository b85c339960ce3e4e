import ArgumentParser
import PayloadKey
import Storage
import StorePolicy

/// `lps quota`: shows usage and quota per namespace.
struct Quota: Command {
    static let configuration = CommandConfiguration(
        commandName: "quota",
        abstract: "Show usage and quota per namespace.",
        discussion: """
            Usage is the sum of a namespace's payload sizes, as its clients see them: content that two keys share counts twice, \
            and the trash does not count.

            Workers count uploads and deletions. After manual changes to the store, for example with rm, run this command with \
            --recount. While a namespace is counted, workers refuse its new payloads with 503.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var policy: PolicyOption
    @Option("Show only this Temporal namespace.", value: "name")
    var namespace: String?
    @Flag(help: "Recount the payloads of namespaces with a quota.")
    var recount = false
    @Flag(help: "Print one line of JSON for each namespace.")
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
