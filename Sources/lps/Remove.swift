import ArgumentParser
import DiskStore
import PayloadKey
import Storage

/// `lps rm`: deletes keys.
struct Remove: ParsableCommand {
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

    func run() throws {
        let keys = try keys.map(parseKey)
        let store = try store.openAny()
        var missing = false
        for key in keys where try !store.remove(key) {
            complain("\(key) is not stored")
            missing = true
        }
        if let store = store as? DiskStore { try sweep(Set(keys.map(\.digest)), in: store) }
        if missing { throw ExitCode.failure }
    }

    /// Deletes the content of the keys, unless another key names it.
    private func sweep(_ digests: Set<Digest>, in store: DiskStore) throws {
        do {
            try store.collector().sweep(only: digests)
        } catch let error as StoreError where error.code == .busy {
            complain("the keys are deleted, their content goes with the next collection: \(error)")
        }
    }
}
