import ArgumentParser
import PayloadKey
import Storage

/// `lps undelete`: restores keys from the trash.
struct Undelete: Command {
    static let configuration = CommandConfiguration(
        commandName: "undelete",
        abstract: "Restore keys that 'lps gc --keep-trash' deleted.",
        discussion: """
            Restores all keys in the trash, those of a namespace or prefix, or a single key. Each payload is verified first, and \
            its age is renewed.

            Exit status 1 if the given key is not in the trash, or a payload is damaged or unreadable; all others are restored.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var selection: SelectionOptions
    @Flag(help: "List the keys in the trash, and restore nothing: size, end of the hour of deletion, key.")
    var dryRun = false
    @Flag(help: "Print one line of JSON for each key.")
    var json = false
    @Argument(help: ArgumentHelp("Key to restore, as in Temporal's histories.", valueName: "key"))
    var key: String?

    func validate() throws {
        guard key == nil || selection.namespace == nil && selection.prefix == nil else {
            throw ValidationError("a key already names its namespace and prefix: omit --namespace and --prefix")
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
            let verb = dryRun ? "would restore" : "restored"
            context.print("\(verb) \(undeletion.keys) keys (\(Output.size(undeletion.logicalBytes)))")
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
