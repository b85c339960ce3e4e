import Foundation
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct ReadTests {
    private let fixture: StoreFixture
    private let content = Array("a payload".utf8)

    init() throws {
        fixture = try StoreFixture()
    }

    @Test func `What was not stored is not there`() throws {
        #expect(try fixture.get(content) == nil)
        try fixture.put(content)
        #expect(try fixture.get(content, metadata: "m") == nil)
        #expect(try fixture.get(content, namespace: "other") == nil)
        #expect(try fixture.get(content, prefix: "p") == nil)
    }

    @Test func `Any part can be read`() throws {
        let content = randomPayload(300_000)
        try fixture.put(content)
        let payload = try #require(try fixture.store.open(fixture.key(content)))
        for range in [0..<300_000, 0..<1, 299_999..<300_000, 131_000..<131_100, 5..<5] {
            var bytes: [UInt8] = []
            try payload.read(UInt64(range.lowerBound)..<UInt64(range.upperBound)) { bytes += Array($0) }
            #expect(bytes == Array(content[range]))
        }
    }

    @Test func `What can't be opened as a file is a fault of the store, never a payload that was not stored`() throws {
        try fixture.put(content)
        let path = fixture.objectPath(content)
        rename(path, fixture.file("aside"))
        mkdir(path, 0o700)
        #expect(throws: StoreError.self) { try fixture.get(content) }
        rmdir(path)
        symlink(fixture.file("aside"), path)
        #expect(throws: StoreError.self) { try fixture.get(content) }
        unlink(path)
        mkfifo(path, 0o600)
        #expect(throws: StoreError.self) { try fixture.get(content) }
    }

    @Test func `A link in the place of a key, or on the way to it, is a fault of the store`() throws {
        try fixture.put(content, namespace: "other")
        let target = try fixture.keyPath(content, namespace: "other")
        try FileManager.default.createDirectory(
            atPath: (fixture.keyPath(content) as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true
        )
        try symlink(target, fixture.keyPath(content))
        #expect(throws: StoreError.self) { try fixture.get(content) }
        symlink(fixture.file("keys/other"), fixture.file("keys/linked"))
        #expect(throws: StoreError.self) { try fixture.get(content, namespace: "linked") }
    }

    @Test func `A file that shrinks while it is read is a fault, not a short payload`() throws {
        try fixture.put(content)
        let payload = try #require(try fixture.store.open(fixture.key(content)))
        truncate(fixture.objectPath(content), 3)
        #expect(throws: StoreError.self) { try payload.read(0..<payload.size) { _ in } }
    }

    @Test func `A payload that is being read stays readable when its key is deleted`() throws {
        try fixture.put(content)
        let payload = try #require(try fixture.store.open(fixture.key(content)))
        unlink(try fixture.keyPath(content))
        unlink(fixture.objectPath(content))
        var bytes: [UInt8] = []
        try payload.read(0..<payload.size) { bytes += Array($0) }
        #expect(bytes == content)
    }
}
