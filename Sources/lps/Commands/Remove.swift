import ArgumentParser
import PayloadKey
import Storage

struct Remove: Command {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Delete keys, and content that no other key names.",
        discussion: """
            Workflows whose history refers to a deleted key can't read that payload any more. Exit status 1 if a key was not stored.
            """
    )

    @OptionGroup var store: StoreOption
    @Argument(help: ArgumentHelp("Keys to delete, as in Temporal's histories.", valueName: "key"))
    var keys: [String]

    func run(_ context: Context) throws {
        let keys = try keys.map(parseKey)
        let store = try store.open(context)
        var missing = false
        for key in keys where try store.remove(key) == nil {
            context.complain("\(key) is not stored")
            missing = true
        }
        if let store = store as? any ContentSharing { try sweep(Set(keys.map(\.digest)), in: store, context) }
        if missing { throw ExitCode.failure }
    }

    /// Deletes the content of the keys, unless another key names it.
    private func sweep(_ digests: Set<Digest>, in store: any ContentSharing, _ context: Context) throws {
        do {
            try store.collector().sweep(
                only: digests,
                isDryRun: false,
                maximumShare: 100,
                expected: 0,
                isDoomed: { _ in false },
                failed: { throw $0 },
                found: { _, _ in }
            )
        } catch let error as StoreError where error.code == .busy {
            context.complain("the keys are deleted, the next collection deletes their content: \(error)")
        }
    }
}
