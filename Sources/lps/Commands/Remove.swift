import ArgumentParser
import PayloadKey
import Storage

/// `lps rm`: deletes keys.
struct Remove: Command {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Delete keys, and the content that no other key names.",
        discussion: """
            A workflow whose history holds a deleted key can't be read any more. Exit status 1 when a key was not there.
            """
    )

    @OptionGroup var store: StoreOption
    @Argument(help: ArgumentHelp("The keys, as in Temporal's histories.", valueName: "key"))
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
                isDoomed: { _ in false },
                failed: { throw $0 },
                found: { _, _ in }
            )
        } catch let error as StoreError where error.code == .busy {
            context.complain("the keys are deleted, their content goes with the next collection: \(error)")
        }
    }
}
