import ArgumentParser
import PayloadKey
import Storage

/// `lps put`: stores a file as a payload.
struct Put: Command {
    static let configuration = CommandConfiguration(
        commandName: "put",
        abstract: "Stores a file as a payload, as an upload does, and prints its key.",
        discussion: "Storing it again makes its age count anew."
    )

    @OptionGroup var store: StoreOption
    @Argument(help: ArgumentHelp("The file.", valueName: "file"), completion: .file())
    var file: String
    @Option(help: ArgumentHelp("The Temporal namespace.", valueName: "name"))
    var namespace: String
    @Option(
        help: ArgumentHelp(
            "The payload's metadata, as X-Temporal-Metadata has it. (default: none)",
            valueName: "base64"
        )
    )
    var metadata: String?

    func run(_ context: Context) throws {
        let namespace = try parseNamespace(namespace)
        let metadata = try metadata.map { try TemporalMetadata(header: Array($0.utf8)) } ?? TemporalMetadata([])
        let prefix = try metadata.keyPrefix.map { try parsePrefix($0) }
        let store = try store.open(context)
        let key = try InputFile.reading(file, options: []) { try put($0, namespace, prefix, metadata, in: store) }
        context.print("\(key)")
    }

    private func put(
        _ source: InputFile,
        _ namespace: Namespace,
        _ prefix: KeyPrefix?,
        _ metadata: TemporalMetadata,
        in store: any PayloadStorage
    ) throws -> PayloadKey {
        var hasher = DigestHasher()
        var length: UInt64 = 0
        try source.forEachPiece { piece in
            hasher.update(piece)
            length += UInt64(piece.count)
        }
        let digest = hasher.finalize()
        try store.uploads.checkSpace(for: length)
        let upload = try store.uploads.receive(length: length, digest: digest) { try source.forEachPiece($0) }
        let key = PayloadKey(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadata.hash)
        try store.commit(upload, as: key)
        return key
    }
}
