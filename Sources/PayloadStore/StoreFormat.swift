import FoundationEssentials
import Glibc

/// What `layout.json` says: that the folder is a store, and of which version.
struct StoreFormat: Codable, Equatable {
    let format: String
    let version: Int

    static let current = StoreFormat(format: "large-payload-store", version: StoreLayout.version)

    init(format: String, version: Int) {
        self.format = format
        self.version = version
    }

    init(readFrom root: Descriptor) throws {
        let file = try root.open(StoreLayout.description, O_RDONLY)
        self = try JSONDecoder().decode(StoreFormat.self, from: Data(file.head(StoreLayout.description)))
    }

    var json: String { "{\"format\":\"\(format)\",\"version\":\(version)}\n" }
}
