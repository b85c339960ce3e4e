import ArgumentParser
import Glibc
import PayloadKey
import Storage
import TarArchive

/// `lps export`: writes payloads as a tar archive.
struct Export: Command {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write payloads and their keys to standard output, as a tar archive.",
        discussion: """
            Each payload is verified, and becomes a file named by its key without the leading slash. Content that several keys \
            share is written once; the other keys are hard links. 'lps import' and tar read the archive.

            Damaged and unreadable payloads are reported and skipped, with exit status 1.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var selection: SelectionOptions

    func run(_ context: Context) throws {
        guard isatty(context.output.rawValue) == 0 else {
            throw ValidationError("standard output is a terminal: redirect it, for example 'lps export > payloads.tar'")
        }
        let selection = try selection.selection()
        let store = try store.openFolder(context, as: (any ContentSharing).self)
        let isComplete = try Self.export(selection, of: store, complain: context.complain, write: context.write)
        if !isComplete { throw ExitCode.failure }
    }

    /// Writes the payloads of a selection as a tar archive.
    ///
    /// - Returns: Whether the archive has all of them.
    static func export(
        _ selection: KeySelection,
        of store: any ContentSharing,
        complain: (String) -> Void,
        write: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Bool {
        var archive = TarWriter(write)
        var isComplete = true
        try store.forEachContent(in: selection, includesTrash: false) { content in
            guard let (payload, first) = try open(content, in: store, complain, &isComplete) else { return }
            try archive.add(file: name(first.key), size: payload.size, modified: first.lastStored) { take in
                try payload.read(0..<payload.size, take)
            }
            for other in content.keys where other.key != first.key {
                try archive.add(hardLink: name(other.key), to: name(first.key), modified: other.lastStored)
            }
        }
        try archive.end()
        return isComplete
    }

    /// Opens and verifies content under the first of its keys that still exists; `nil` when none does, or it is damaged.
    private static func open(
        _ content: StoredContent,
        in store: any PayloadStorage,
        _ complain: (String) -> Void,
        _ isComplete: inout Bool
    ) throws -> (StoredPayload, StoredContent.Name)? {
        for name in content.keys {
            do {
                guard let payload = try store.open(name.key) else {
                    // The key was deleted since it was listed.
                    guard try store.find(name.key) != nil else { continue }
                    throw StoreError(.damaged, "its content is lost")
                }
                try payload.check(content.digest)
                return (payload, name)
            } catch let error as StoreError {
                for name in content.keys { complain("\(name.key) is not exported: \(error)") }
                isComplete = false
                return nil
            }
        }
        return nil
    }

    private static func name(_ key: PayloadKey) -> [UInt8] {
        Array(key.utf8.dropFirst())
    }
}
