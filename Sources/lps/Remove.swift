import ArgumentParser
import PayloadStore

/// `lps rm`: deletes keys.
struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Deletes keys, and content that no other key has.",
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
        if missing { throw ExitCode.failure }
    }
}
