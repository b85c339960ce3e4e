import Foundation
import System
import TestSupport
import Testing

@testable import Storage

/// The comparison of an upload with existing content.
@Suite(.runLimit) struct FileContentTests {
    private let folder: TemporaryFolder
    private let root: Descriptor

    init() throws {
        folder = try TemporaryFolder()
        root = try Descriptor(folder: folder.path, LinuxKernel.shared)
    }

    private func file(_ name: String, _ content: [UInt8]) throws -> FileContent {
        try write(content, to: folder.file(name))
        return try #require(try FileContent(name, below: root))
    }

    @Test(arguments: [0, 1, FileContent.pieceSize, 3 * FileContent.pieceSize + 17])
    func `Files with the same bytes are the same, whatever their size`(size: Int) throws {
        let content = randomPayload(size)
        let (one, other) = (try file("one", content), try file("other", content))
        #expect(try one.hasSameBytes(as: other) && other.hasSameBytes(as: one))
        #expect(try !one.hasSameBytes(as: file("longer", content + [0])))
    }

    @Test(arguments: [0, FileContent.pieceSize - 1, FileContent.pieceSize, 2 * FileContent.pieceSize - 1])
    func `A single differing byte is found, wherever it is`(position: Int) throws {
        let content = randomPayload(2 * FileContent.pieceSize)
        var different = content
        different[position] ^= 1
        #expect(try !file("one", content).hasSameBytes(as: file("other", different)))
    }

    @Test func `Two names of one file are not compared, because that proves nothing`() throws {
        let one = try file("one", randomPayload(1000))
        link(folder.file("one"), folder.file("other"))
        let other = try #require(try FileContent("other", below: root))
        #expect(try !one.hasSameBytes(as: other))
    }
}
