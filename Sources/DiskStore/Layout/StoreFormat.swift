import FoundationEssentials
import Glibc
import Storage

/// The content of `layout.json`, which identifies a folder as a store of a format version.
struct StoreFormat: Codable, Equatable {
    let format: String
    let version: Int

    /// The format that this version reads and writes.
    static let current = StoreFormat(format: "large-payload-store", version: 2)

    var json: String { "{\"format\":\"\(format)\",\"version\":\(version)}\n" }

    /// Checks that the folder is a store of this format.
    ///
    /// - Throws: ``StoreError`` with code `unknownFormat`.
    static func check(_ root: Descriptor, _ path: String) throws {
        let found: StoreFormat
        do {
            let file = try root.open(StoreLayout.description, O_RDONLY)
            found = try JSONDecoder().decode(StoreFormat.self, from: Data(file.head()))
        } catch {
            let failure = error as? StoreError
            let reason = failure?.errno == nil ? " (\(error))" : ""
            let message = "has no readable \(StoreLayout.description), create a store with 'lps init'\(reason)"
            throw StoreError(.unknownFormat, "store \(path) \(message)", errno: failure?.errno)
        }
        guard found != current else { return }
        let isOld = found == StoreFormat(format: current.format, version: 1)
        let message =
            isOld
            ? "has format version 1, this version reads version 2: export it with the old version "
                + "('lps export'), and import it into a new store ('lps init', 'lps import')"
            : "has format '\(found.format)' version \(found.version), "
                + "this version knows '\(current.format)' version \(current.version)"
        throw StoreError(.unknownFormat, "store \(path) \(message)")
    }
}
