import ArgumentParser
import Encoding
import Glibc
import PayloadKey
import Storage
import TarArchive

/// `lps import`: stores the payloads of a tar archive.
struct Import: Command {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Store the payloads of an 'lps export' archive from standard input.",
        discussion: """
            Each payload is verified and committed like an upload, and its age counts from now. Importing it again only renews \
            its age.

            The first entry that is not a payload under its key ends the import with exit status 1. The payloads before it stay \
            stored.
            """
    )

    @OptionGroup var store: StoreOption
    @Flag(help: "Print one line of JSON.")
    var json = false

    func run(_ context: Context) throws {
        let input = context.input
        guard isatty(input.rawValue) == 0 else {
            throw ValidationError("standard input is a terminal: redirect it, for example 'lps import < payloads.tar'")
        }
        let result = try ArchiveImport.run(into: store.openFolder(context, as: (any ContentSharing).self)) { buffer in
            try CommandError.naming("read from standard input") { try input.read(into: buffer) }
        }
        if json {
            try context.json(result)
        } else {
            context.print(
                "imported \(result.keys) keys (\(result.created) new), \(Output.size(result.bytes)) of content"
            )
        }
    }
}

/// The import of one archive into a store.
struct ArchiveImport {
    struct Imported: Encodable, Equatable {
        /// Keys that were stored, new or not.
        var keys = 0
        /// Keys that did not exist before.
        var created = 0
        /// Bytes of content read and verified.
        var bytes: UInt64 = 0
    }

    private let store: any PayloadStorage
    private var result = Imported()
    /// The last content read, kept because hard links after it are other keys of the same content.
    private var last: VerifiedUpload?

    /// Imports a whole archive.
    ///
    /// - Parameter source: Reads the archive's next bytes into the buffer and returns their number; zero at the end.
    /// - Throws: ``CommandError``, which names the entry. The entries before it are stored.
    static func run(
        into store: any PayloadStorage,
        from source: @escaping (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws -> Imported {
        var archive = TarReader(source)
        var imported = ArchiveImport(store: store)
        var before = "the start of the archive"
        while let entry = try CommandError.naming("the entry after \(before) is not imported", { try archive.next() }) {
            let name = "'\(printable(entry.name))'"
            try CommandError.naming("\(name) is not imported") { try imported.take(entry, &archive) }
            before = name
        }
        return imported.result
    }

    private init(store: any PayloadStorage) {
        self.store = store
    }

    private mutating func take(_ entry: TarEntry, _ archive: inout TarReader) throws {
        switch entry.kind {
        case .folder:
            // tar adds entries for folders; payloads don't need them.
            break
        case .file(let size):
            let key = try key(entry.name)
            try store.uploads.checkSpace(for: size)
            let upload = try store.uploads.receive(length: size, digest: key.digest) { try archive.content($0) }
            result.bytes += size
            last = upload
            try commit(upload, as: key)
        case .hardLink(let target):
            let key = try key(entry.name)
            // A link may only refer to content of the archive, not to payloads that others stored.
            guard let last, last.digest == key.digest, try self.key(target).digest == key.digest else {
                throw CommandError("it links to '\(printable(target))', which is not the payload before it")
            }
            try commit(last, as: key)
        }
    }

    private mutating func commit(_ upload: VerifiedUpload, as key: PayloadKey) throws {
        let outcome = try store.commit(upload, as: key)
        result.keys += 1
        if outcome != .existed { result.created += 1 }
    }

    /// Parses the name of an exported key. Other names are refused, so no entry can be written elsewhere.
    private func key(_ name: [UInt8]) throws -> PayloadKey {
        let here = Array("./".utf8)
        let path = name.starts(with: here) ? name.dropFirst(here.count) : name[...]
        guard let key = PayloadKey(parsing: [UInt8(ascii: "/")] + path) else {
            throw CommandError(
                "it is not a key: blobs/<namespace>/common/sha256:<digest>/sha256:<metadata hash>, or custom/<prefix>"
            )
        }
        return key
    }
}
