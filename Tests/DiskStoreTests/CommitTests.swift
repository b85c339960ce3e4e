import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct CommitTests {
    private let fixture: StoreFixture
    private let content = Array("a payload".utf8)

    init() throws {
        fixture = try StoreFixture()
    }

    @Test func `A committed payload reads back, and its file is named as the format says`() throws {
        #expect(try fixture.put(content) == .created)
        #expect(try fixture.get(content) == content)
        let hex = Digest(of: content).hex
        let shard = hex.prefix(2)
        let hash = Digest(of: "".utf8).hex
        #expect(
            files(below: fixture.path).filter { $0.hasPrefix("objects") || $0.hasPrefix("keys") }
                == ["keys/ns/common/\(shard)/\(hex).\(hash)", "objects/\(shard)/\(hex)"]
        )
        let object = try #require(fixture.status(fixture.objectPath(content)))
        #expect(object.mode == 0o440)
        #expect(object.links == 1)
        let key = try #require(fixture.status(fixture.keyPath(content)))
        #expect(key.size == 0, "its name is the record")
        #expect(key.mode == 0o440)
    }

    @Test func `Content is there once, however many keys name it, across metadata, prefixes and namespaces`() throws {
        try fixture.put(content)
        #expect(try fixture.put(content, metadata: "m") == .linked)
        #expect(try fixture.put(content, prefix: "team/a") == .linked)
        #expect(try fixture.put(content, namespace: "other") == .linked)
        #expect(files(below: fixture.file("objects")).count == 1)
        let keys = files(below: fixture.file("keys"))
        #expect(keys.count == 4)
        for key in keys { #expect(fixture.status(fixture.file("keys/\(key)"))?.size == 0) }
    }

    @Test func `Namespaces that are equal in Unicode but not in bytes do not see each other's payloads`() throws {
        try fixture.put(content, namespace: "\u{E9}")
        #expect(try fixture.get(content, namespace: "e\u{301}") == nil)
        #expect(try fixture.put(content, namespace: "e\u{301}") == .linked)
    }

    @Test(
        arguments: ["%2e%2e", "...", "a b?#&", "\\", "日本", String(repeating: "x", count: 200), "common", "-rf"]
            + namespacesThatMeltIntoSlashes
    )
    func `Any namespace of the contract is a folder of its own`(namespace: String) throws {
        try fixture.put(content, namespace: namespace)
        #expect(try fixture.get(content, namespace: namespace) == content)
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.file("keys")) == [namespace])
    }

    @Test func `The longest prefix of the contract fits a path`() throws {
        let part = String(repeating: "p", count: 200)
        let prefix = "\(part)/\(part)/\(String(repeating: "p", count: 110))"
        #expect(prefix.utf8.count == 512)
        try fixture.put(content, prefix: prefix)
        #expect(try fixture.get(content, prefix: prefix) == content)
    }

    @Test func `Sixteen equal uploads at once make one object, and one of them made the key`() throws {
        for round in 0..<20 {
            let content = content + [UInt8(round)]
            let created = Counter()
            try concurrently(16) { [fixture] _ in
                if try fixture.put(content) != .existed { created.add() }
            }
            #expect(created.value == 1)
            #expect(try fixture.get(content) == content)
        }
    }

    @Test func `A folder at a key's place fails the upload, and leaves nothing in incoming`() throws {
        let path = try fixture.keyPath(content)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let error = #expect(throws: StoreError.self) { try fixture.store.put(content, fixture.key(content)) }
        #expect(error?.code == .damaged)
        #expect(files(below: fixture.file("incoming")).isEmpty)
    }

    @Test(arguments: ["objects", "keys/ns", "keys/ns/common"])
    func `A folder that was deleted while the process runs is made anew`(folder: String) throws {
        try fixture.put(content)
        let path =
            folder == "objects"
            ? (fixture.objectPath(content) as NSString).deletingLastPathComponent : fixture.file(folder)
        try FileManager.default.removeItem(atPath: path)
        try fixture.put(content)
        #expect(try fixture.get(content) == content)
        #expect(FileManager.default.fileExists(atPath: fixture.objectPath(content)))
    }

    @Test func `A folder that was moved away while the process runs gets no more payloads`() throws {
        try fixture.put(content)
        try FileManager.default.moveItem(atPath: fixture.file("keys/ns"), toPath: fixture.folder.file("moved"))
        #expect(try fixture.put(content) == .linked)
        #expect(try fixture.get(content) == content)
    }

    @Test func `More namespaces than the process keeps folders open are served all the same`() throws {
        // The rest of the process may need all the files that it may open.
        let fixture = try StoreFixture(otherFiles: .max)
        #expect(fixture.store.folders.capacity == 1)
        for index in 0..<50 {
            #expect(try fixture.put(content, namespace: "n\(index)") != .existed)
        }
        #expect(try fixture.put(content, namespace: "n0") == .existed)
    }
}

/// Gives out `content` in one piece, as a request's body.
func source(_ content: [UInt8], piece: Int = .max) -> (UnsafeMutableRawBufferPointer) -> Int {
    var rest = content[...]
    return { buffer in
        let part = rest.prefix(min(buffer.count, piece))
        buffer.copyBytes(from: part)
        rest = rest.dropFirst(part.count)
        return part.count
    }
}
