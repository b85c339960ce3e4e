import ArgumentParser
import PayloadStore

/// `lps init`: makes an empty store.
struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Makes an empty store.",
        discussion: """
            Run it as the user of nginx's worker processes, who must own all of the store. The folder must not exist yet, or be empty.
            """
    )

    @Option(help: ArgumentHelp("The store's folder.", valueName: "path"))
    var store: String

    func run() throws {
        try PayloadStore.create(at: store)
        print("made an empty store at \(store)")
    }
}
