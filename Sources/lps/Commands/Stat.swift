import ArgumentParser
import Storage

/// `lps stat`: shows and verifies a payload.
struct Stat: Command {
    static let configuration = CommandConfiguration(
        commandName: "stat",
        abstract: "Show details of a payload, and verify it.",
        discussion: "Exit status 1 if the payload is not stored or is damaged."
    )

    @OptionGroup var store: StoreOption
    @Argument(help: ArgumentHelp("The key, as in Temporal's histories.", valueName: "key"))
    var key: String
    @Flag(help: "Print one line of JSON.")
    var json = false

    func run(_ context: Context) throws {
        let key = try parseKey(key)
        let store = try store.open(context)
        guard let stored = try store.find(key) else { throw context.failed("\(key) is not stored") }
        guard let payload = try store.open(key) else { throw context.failed("\(key): its content is lost") }
        try payload.check(key.digest)
        let sharers = try (store as? any ContentSharing)?.keyCount(of: key.digest) ?? 1
        if json { return try context.json(KeyDescription(stored), adding: "sharers", sharers) }
        context.print(
            Output.fields([
                ("key", "\(stored.key)"), ("size", "\(payload.size) bytes"), ("on disk", "\(stored.diskUsage) bytes"),
                ("keys with this content", "\(sharers)"), ("last stored", Output.time(stored.lastStored)),
                ("file", stored.path), ("content", "verified"),
            ])
        )
    }
}
