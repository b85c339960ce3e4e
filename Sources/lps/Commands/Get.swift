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
        let store = try store.open(context)
        guard let payload = try store.open(key) else {
            throw context.failed(try store.find(key) == nil ? "\(key) is not stored" : "\(key): its content is lost")
        }
        try payload.check(key.digest)
        try payload.read(0..<payload.size, context.write)
    }
}
