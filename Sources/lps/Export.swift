import ArgumentParser
import Glibc
import PayloadKey
import PayloadStore
import SystemPackage
import TarArchive

/// `lps export`: writes payloads as a tar archive.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes payloads with their keys to standard output, as a tar archive.",
        discussion: """
            Each payload is a file that is named by its key, without the slash at the front, and verified before it is written. Content \
            that several keys share is in the archive once; the other keys are hard links. tar reads it, 'lps import' stores it.

            Exit status 1 when a payload was damaged, or could not be read; it is left out.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var selection: SelectionOptions

    func run() throws {
        let output = FileDescriptor.standardOutput
        guard isatty(output.rawValue) == 0 else {
            throw ValidationError("standard output is a terminal: redirect it, as 'lps export > payloads.tar'")
        }
        let selection = try selection.selection()
        let store = try store.open()
        let isComplete = try Self.export(selection, of: store) { bytes in
            do {
                try output.writeAll(bytes)
            } catch {
                throw FileError("write to standard output", error)
            }
        }
        if !isComplete { throw ExitCode.failure }
    }

    /// - Returns: whether all payloads of the selection are in the archive.
    static func export(
        _ selection: KeySelection,
        of store: PayloadStore,
        write: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Bool {
        var archive = TarWriter(write)
        var isComplete = true
        try store.forEachContent(in: selection) { digest, keys in
            guard let (payload, first) = try open(keys, digest, in: store, &isComplete) else { return }
            try archive.add(file: name(first.key), size: payload.size, modified: first.lastStored) { take in
                try payload.read(0..<payload.size, take)
            }
            // Not by their paths: those of two namespaces may be equal as text.
            for other in keys where other.key != first.key {
                try archive.add(hardLink: name(other.key), to: name(first.key), modified: other.lastStored)
            }
        }
        try archive.end()
        return isComplete
    }

    /// The verified content of the first of some keys that has it; `nil` when none has, or all are deleted by now.
    private static func open(
        _ keys: [StoredKey],
        _ digest: Digest,
        in store: PayloadStore,
        _ isComplete: inout Bool
    ) throws -> (StoredPayload, StoredKey)? {
        for stored in keys {
            do {
                guard let payload = try store.open(stored.key) else { continue }
                try payload.check(digest)
                return (payload, stored)
            } catch let error as StoreError {
                complain("\(stored.key) is not exported: \(error)")
                isComplete = false
            }
        }
        return nil
    }

    private static func name(_ key: PayloadKey) -> [UInt8] {
        Array(key.utf8.dropFirst())
    }
}
