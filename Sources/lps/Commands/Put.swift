import ArgumentParser
import PayloadKey
import Storage

/// `lps put`: stores a file as a payload.
struct Put: Command {
    static let configuration = CommandConfiguration(
        commandName: "put",
        abstract: "Store a file as a payload, and print its key.",
        discussion: "Storing a payload again renews its age."
    )

    @OptionGroup var store: StoreOption
    @Argument(help: ArgumentHelp("The file to store.", valueName: "file"), completion: .file())
    var file: String
    @Option(help: ArgumentHelp("Temporal namespace of the payload.", valueName: "name"))
    var namespace: String
    @Option("Payload metadata, in the format of the header X-Temporal-Metadata. (default: none)", value: "base64")
    var metadata: String?

    func run(_ context: Context) throws {
        let namespace = try parseNamespace(namespace)
        let metadata = try metadata.map { try TemporalMetadata(header: Array($0.utf8)) } ?? TemporalMetadata([])
        let prefix = try metadata.keyPrefix.map { try parsePrefix($0) }
        let store = try store.open(context)
        let upload = try InputFile.reading(file) { try $0.received(by: store.uploads) }
        let key = PayloadKey(namespace: namespace, prefix: prefix, digest: upload.digest, metadataHash: metadata.hash)
        try store.commit(upload, as: key)
        context.print("\(key)")
    }
}
