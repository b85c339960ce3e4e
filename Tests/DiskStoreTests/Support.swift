import Foundation
import PayloadKey
import Storage
import TestStores

@testable import DiskStore

/// Namespaces that begin or end with a scalar that forms one `Character` with an adjacent slash.
let namespacesThatMeltIntoSlashes = ["\u{301}x", "x\u{600}", "\u{200D}", "\u{600}\u{301}"]

extension TestStore {
    /// Stray files in the upper folders.
    func strayFiles() throws -> [String] { try StoreLayout.upperFolders.flatMap(store.strayFiles) }

    /// Creates a folder and its parents.
    func makeFolder(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// Makes a path relative to the store's root.
    func relative(_ path: String) -> String { String(path.dropFirst(self.path.count + 1)) }
}

extension Digest {
    /// The name of its shard.
    var shard: String { StoreLayout.shard(firstByte) }
}

/// Provides `content` piece by piece, like a request's body.
func source(_ content: [UInt8], piece: Int = .max) -> (UnsafeMutableRawBufferPointer) -> Int {
    var rest = content[...]
    return { buffer in
        let part = rest.prefix(min(buffer.count, piece))
        buffer.copyBytes(from: part)
        rest = rest.dropFirst(part.count)
        return part.count
    }
}
