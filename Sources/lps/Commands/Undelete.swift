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
        var undeletion = Undeletion(in: store, isDryRun: dryRun, complain: context.complain) { try show($0, context) }
        var isMissing = false
        if let key {
            isMissing = try !undeletion.run(key)
            if isMissing { context.complain("\(key) is not in the trash") }
        } else {
            try undeletion.run(selection)
        }
        if !json {
            let verb = dryRun ? "would undelete" : "undeleted"
            context.print("\(verb) \(undeletion.keys) keys of \(Output.size(undeletion.logicalBytes))")
        }
        if isMissing || undeletion.failures.count > 0 { throw ExitCode.failure }
    }

    private func show(_ trashed: TrashedKey, _ context: Context) throws {
        if json {
            try context.json(TrashedDescription(trashed))
        } else if dryRun {
            context.print(Output.row(size: trashed.stored.size, at: trashed.deleted, trashed.stored.key))
        }
    }
}
