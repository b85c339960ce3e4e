import FoundationEssentials
import Glibc
import Storage

/// What `layout.json` says: that the folder is a store, and of which version.
struct StoreFormat: Codable, Equatable {
    let format: String
    let version: Int

    static let current = StoreFormat(format: "large-payload-store", version: StoreLayout.version)

    var json: String { "{\"format\":\"\(format)\",\"version\":\(version)}\n" }

    /// Makes sure that the folder is a store of this format.
    ///
    /// - Throws: ``StoreError`` with code `unknownFormat`.
    static func check(_ root: Descriptor, _ path: String) throws {
        let found: StoreFormat
        do {
            let file = try root.open(StoreLayout.description, O_RDONLY)
            found = try JSONDecoder().decode(StoreFormat.self, from: Data(file.head()))
        } catch {
            throw StoreError(
                .unknownFormat,
                "store \(path) has no readable \(StoreLayout.description), make a store with 'lps init' (\(error))",
                errno: (error as? StoreError)?.errno
            )
        }
        if found == StoreFormat(format: current.format, version: 1) {
            throw StoreError(
                .unknownFormat,
                "store \(path) has format version 1, this version reads version 2: export it with the old version "
                    + "('lps export'), and import it into a new store ('lps init', 'lps import')"
            )
        }
        guard found == current else {
            throw StoreError(
                .unknownFormat,
                "store \(path) has format '\(found.format)' version \(found.version), "
                    + "this version knows '\(current.format)' version \(current.version)"
            )
        }
    }
}
