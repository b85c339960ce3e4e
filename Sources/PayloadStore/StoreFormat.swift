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
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = try bytes.withUnsafeMutableBytes { buffer in
            try countingSystemCall("read \(StoreLayout.description)") {
                read(file.rawValue, buffer.baseAddress, buffer.count)
            }
        }
        self = try JSONDecoder().decode(StoreFormat.self, from: Data(bytes[..<count]))
    }

    var json: String { "{\"format\":\"\(format)\",\"version\":\(version)}\n" }
}
