import Foundation
import PayloadKey
import Storage
import TestStores

@testable import DiskStore

/// Namespaces that begin or end with what is one `Character` with a slash beside it.
let namespacesThatMeltIntoSlashes = ["\u{301}x", "x\u{600}", "\u{200D}", "\u{600}\u{301}"]

extension TestStore {
    /// What does not belong in the upper folders.
    func strayFiles() throws -> [String] { try StoreLayout.upperFolders.flatMap(store.strayFiles) }

    /// Makes a folder, with those above it.
    func makeFolder(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// A path, relative to the store's root.
    func relative(_ path: String) -> String { String(path.dropFirst(self.path.count + 1)) }
}

extension Digest {
    /// The name of its shard.
    var shard: String { StoreLayout.shard(firstByte) }
}

/// Gives out `content` piece by piece, as a request's body.
func source(_ content: [UInt8], piece: Int = .max) -> (UnsafeMutableRawBufferPointer) -> Int {
    var rest = content[...]
    return { buffer in
        let part = rest.prefix(min(buffer.count, piece))
        buffer.copyBytes(from: part)
        rest = rest.dropFirst(part.count)
        return part.count
    }
}
