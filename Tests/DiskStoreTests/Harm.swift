import Foundation
import Testing

/// What happens to content on a disk.
enum Harm: String, CaseIterable {
    /// The only one that leaves the size as it is.
    case flippedBit = "a flipped bit"
    case truncation = "its end is missing"
    case emptiness = "it is empty"
    case growth = "it has more than it should"
}

extension StoreFixture {
    /// Changes the stored content of a payload, in place.
    func harm(_ content: [UInt8], _ harm: Harm = .flippedBit) throws {
        let path = objectPath(content)
        chmod(path, 0o600)
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        switch harm {
        case .flippedBit:
            let middle = content.count / 2
            try file.seek(toOffset: UInt64(middle))
            try file.write(contentsOf: [content[middle] ^ 0x10])
        case .truncation: try file.truncate(atOffset: UInt64(content.count - 1))
        case .emptiness: try file.truncate(atOffset: 0)
        case .growth:
            try file.seekToEnd()
            try file.write(contentsOf: [0])
        }
        try file.close()
        chmod(path, 0o440)
    }
}
