import ArgumentParser
import DiskStore
import Storage

/// `lps stat`: tells what is stored under a key.
struct Stat: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat",
        abstract: "Tells what is stored under a key, and verifies it.",
        discussion: "Exit status 1 when it is not stored or damaged."
    )

    @OptionGroup var store: StoreOption
    @Argument(help: ArgumentHelp("The key, as in Temporal's histories.", valueName: "key"))
    var key: String
    @Flag(help: "One line of JSON.")
    var json = false

    func run() throws {
        let key = try parseKey(key)
        let store = try store.openAny()
        guard let stored = try store.find(key) else {
            complain("\(key) is not stored")
            throw ExitCode.failure
        }
        guard let payload = try store.open(key) else {
            complain("\(key) has lost its content")
            throw ExitCode.failure
        }
        try payload.check(key.digest)
        let sharers = try (store as? DiskStore)?.keyCount(of: key.digest) ?? 1
        if json {
            try Output.json(KeyDescription(stored), adding: "sharers", sharers)
        } else {
            Output.fields([
                ("key", "\(stored.key)"), ("size", "\(payload.size) bytes"), ("on disk", "\(stored.diskUsage) bytes"),
                ("keys with this content", "\(sharers)"), ("last stored", Output.time(stored.lastStored)),
                ("file", stored.path), ("content", "verified"),
            ])
        }
    }
}
