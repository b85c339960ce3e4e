import ArgumentParser
import Storage

/// `lps get`: writes a payload to standard output.
struct Get: Command {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Verify a payload, and write it to standard output.",
        discussion: "Writes nothing, with exit status 1, if the payload is not stored or is damaged."
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
