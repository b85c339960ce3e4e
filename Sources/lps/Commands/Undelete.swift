import ArgumentParser
import PayloadKey
import Storage

/// `lps undelete`: gives deleted keys back.
struct Undelete: Command {
    static let configuration = CommandConfiguration(
        commandName: "undelete",
        abstract: "Gives back keys that 'lps gc --keep-trash' has deleted.",
        discussion: """
            All that are in the trash, those of a namespace or prefix, or one. Each is verified first, and its age counts anew.

            Exit status 1 when the key is not in the trash, or something of it is damaged or can't be read; the others are given \
            back all the same.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var selection: SelectionOptions
    @Flag(help: "Only list what is in the trash: size, deleted until when, key.")
    var dryRun = false
    @Flag(help: "One line of JSON for each key.")
    var json = false
    @Argument(help: ArgumentHelp("One key, as in Temporal's histories.", valueName: "key"))
    var key: String?

    func validate() throws {
        guard key == nil || selection.namespace == nil && selection.prefix == nil else {
            throw ValidationError("a key names its namespace and prefix itself")
        }
    }

    func run(_ context: Context) throws {
        let selection = try selection.selection()
        let key = try key.map(parseKey)
        let store = try store.openFolder(context, as: (any TrashKeeping).self)
        var result = Undeleted()
        let failures = Failures(complain: context.complain)
        if let key {
            let trashed = try store.trashed(key)
            if trashed.isEmpty {
                context.complain("\(key) is not in the trash")
                result.isMissing = true
            }
            for trashed in trashed { try undelete(trashed, in: store, &result, failures, context) }
        } else {
            try store.forEachTrashedKey(in: selection, unreadable: { try failures.note($1) }) {
                try undelete($0, in: store, &result, failures, context)
            }
        }
        if !json {
            let verb = dryRun ? "would undelete" : "undeleted"
            context.print("\(verb) \(result.undeleted) keys of \(Output.size(result.logicalBytes))")
        }
        if result.isMissing || failures.count > 0 { throw ExitCode.failure }
    }

    private func undelete(
        _ trashed: TrashedKey,
        in store: any TrashKeeping,
        _ result: inout Undeleted,
        _ failures: Failures,
        _ context: Context
    ) throws {
        // What was stored again in the meantime, or is gone, needs nothing.
        guard
            try dryRun
                || failures.goingOn("\(trashed.stored.key) is not undeleted", { try store.undelete(trashed) })
                    == .undeleted
        else { return }
        result.undeleted += 1
        result.logicalBytes += trashed.stored.size ?? 0
        if json {
            try context.json(Row(trashed))
        } else if dryRun {
            let size = trashed.stored.size.map(Output.size) ?? "lost"
            let padding = Output.padding(of: size, to: 10)
            context.print("\(padding)\(size)  \(Output.time(trashed.deleted))  \(trashed.stored.key)")
        }
    }

    private struct Undeleted {
        var undeleted = 0
        var logicalBytes: UInt64 = 0
        var isMissing = false
    }

    private struct Row: Encodable {
        let key: String
        /// `nil` when the content is lost.
        let size: UInt64?
        let deleted: String

        init(_ trashed: TrashedKey) {
            key = "\(trashed.stored.key)"
            size = trashed.stored.size
            deleted = Output.time(trashed.deleted)
        }
    }
}
