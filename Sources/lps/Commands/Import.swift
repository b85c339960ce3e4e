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
        abstract: "Stores the payloads of an archive of 'lps export', which it reads from standard input.",
        discussion: """
            Each payload is verified and committed like an upload. Importing it again changes nothing but the age, which counts from \
            now: 'lps gc' keeps what was imported as long as what was just uploaded.

            What is not a payload under its key is refused, and ends the import with exit status 1. What came before it is stored.
            """
    )

    @OptionGroup var store: StoreOption
    @Flag(help: "One line of JSON.")
    var json = false

    func run(_ context: Context) throws {
        let input = context.input
        guard isatty(input.rawValue) == 0 else {
            throw ValidationError("standard input is a terminal: redirect it, as 'lps import < payloads.tar'")
        }
        let result = try ArchiveImport.run(into: store.openFolder(context, as: (any ContentSharing).self)) { buffer in
            try CommandError.naming("read from standard input") { try input.read(into: buffer) }
        }
        if json {
            try context.json(result)
        } else {
            context.print(
                "imported \(result.keys) keys, \(result.created) of them new, \(Output.size(result.bytes)) of content"
            )
        }
    }
}

/// An archive on its way into a store.
struct ArchiveImport {
    /// What was imported.
    struct Imported: Encodable, Equatable {
        /// Keys that are stored now.
        var keys = 0
        /// Those of them that were not there before.
        var created = 0
        /// Bytes of content that were read and verified.
        var bytes: UInt64 = 0
    }

    private let store: any PayloadStorage
    private var result = Imported()
    /// The content that came last: the hard links that follow it are other keys of it. Its file is kept until then.
    private var last: VerifiedUpload?

    /// Imports a whole archive.
    ///
    /// - Parameter source: puts the archive's next bytes into the buffer and returns their number; zero at its end.
    /// - Throws: ``CommandError``, ``StoreError``, or what `source` throws. What came before is stored.
    static func run(
        into store: any PayloadStorage,
        from source: @escaping (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws -> Imported {
        var archive = TarReader(source)
        var imported = ArchiveImport(store: store)
        var before = "the start of the archive"
        while let entry = try CommandError.naming("what comes after \(before) is not imported", { try archive.next() })
        {
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
            // What tar adds for the folders above files. Nothing is made of it.
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
            // Only content that the archive has brought: a link must not get at what others have stored.
            guard let last, last.digest == key.digest, try self.key(target).digest == key.digest else {
                throw CommandError("it is a link to '\(printable(target))', which is not the payload before it")
            }
            try commit(last, as: key)
        }
    }

    private mutating func commit(_ upload: VerifiedUpload, as key: PayloadKey) throws {
        let outcome = try store.commit(upload, as: key)
        result.keys += 1
        if outcome != .existed { result.created += 1 }
    }

    /// A key from the name that an export gives it. No other name is one, so none can lead anywhere else.
    private func key(_ name: [UInt8]) throws -> PayloadKey {
        let here = Array("./".utf8)
        let path = name.starts(with: here) ? name.dropFirst(here.count) : name[...]
        guard let key = PayloadKey(parsing: [UInt8(ascii: "/")] + path) else {
            throw CommandError(
                "it is no key: blobs/<namespace>/common/sha256:<digest>/sha256:<metadata hash>, or custom/<prefix>"
            )
        }
        return key
    }
}
