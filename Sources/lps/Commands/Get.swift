import ArgumentParser
import Storage

/// `lps get`: writes a payload to standard output.
struct Get: Command {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Writes a payload to standard output, after it was verified.",
        discussion: "Exit status 1, and nothing written, when it is not stored or damaged."
    )

    @OptionGroup var store: StoreOption
    @Argument(help: ArgumentHelp("The key, as in Temporal's histories.", valueName: "key"))
    var key: String

    func run(_ context: Context) throws {
        let key = try parseKey(key)
        guard let payload = try store.open(context).open(key) else { throw context.failed("\(key) is not stored") }
        try payload.check(key.digest)
        try payload.read(0..<payload.size, context.write)
    }
}
