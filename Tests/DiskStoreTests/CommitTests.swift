import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import PayloadStore

@Suite struct CommitTests {
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
        #expect(object.links == 2)  // object and key
    }

    @Test func `The same upload again exists already, and changes no file`() throws {
        try fixture.put(content)
        let before = try #require(fixture.status(fixture.objectPath(content)))
        #expect(try fixture.put(content) == .existed)
        #expect(fixture.status(fixture.objectPath(content))?.inode == before.inode)
    }

    @Test func `Storing again renews the age, from which retention counts`() throws {
        try fixture.put(content)
        let path = try fixture.keyPath(content)
        fixture.setAge(path, seconds: 1_000_000)
        try fixture.put(content)
        #expect(try #require(fixture.status(path)).modified > time(nil) - 1000)
    }

    @Test func `A new key of old content counts as stored now`() throws {
        try fixture.put(content)
        fixture.setAge(fixture.objectPath(content), seconds: 1_000_000)
        #expect(try fixture.put(content, metadata: "other") == .linked)
        #expect(try #require(fixture.status(fixture.keyPath(content, metadata: "other"))).modified > time(nil) - 1000)
    }

    @Test func `Keys with the same content share one file, across metadata, prefixes and namespaces`() throws {
        try fixture.put(content)
        #expect(try fixture.put(content, metadata: "m") == .linked)
        #expect(try fixture.put(content, prefix: "team/a") == .linked)
        #expect(try fixture.put(content, namespace: "other") == .linked)
        let inodes = try files(below: fixture.path)
            .filter { $0.hasPrefix("objects/") || $0.hasPrefix("keys/") }
            .map { try #require(fixture.status(fixture.file($0))).inode }
        #expect(inodes.count == 5)
        #expect(Set(inodes).count == 1)
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

    @Test(arguments: namespacesThatMeltIntoSlashes)
    func `All folders that lead to a key are synced, whatever the namespace begins or ends with`(namespace: String) {
        let way = StoreLayout.way(to: "keys/\(namespace)/common/ab").map { Array($0.utf8) }
        let expected = ["keys", "keys/\(namespace)", "keys/\(namespace)/common", "keys/\(namespace)/common/ab"]
        #expect(way == expected.map { Array($0.utf8) })
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

    @Test func `An object of the wrong size is replaced by the verified upload, and logged`() throws {
        try fixture.put(content)
        let path = fixture.objectPath(content)
        unlink(path)
        try write([], to: path)
        #expect(try fixture.put(content, metadata: "m") == .created)
        #expect(try contents(of: path) == content)
        #expect(try fixture.get(content, metadata: "m") == content)
        #expect(fixture.log.text.contains("a damaged file of the store is replaced by a verified upload"))
        #expect(fixture.log.text.contains("0 bytes"))
    }

    @Test func `An emptied key is healed by the next upload`() throws {
        // As after a crash of a store that links first and writes later: a zero-length file at the final name.
        try fixture.put(content)
        for path in [fixture.objectPath(content), try fixture.keyPath(content)] {
            unlink(path)
            try write([], to: path)
        }
        #expect(try fixture.put(content) == .existed)
        #expect(try fixture.get(content) == content)
        #expect(try fixture.put(content) == .existed)
        #expect(files(below: fixture.file("incoming")).allSatisfy { !$0.hasPrefix("upload-") })
    }

    @Test func `When an object has as many links as the file system allows, the next upload becomes the object`() throws
    {
        try fixture.put(content)
        let object = fixture.objectPath(content)
        let first = try #require(fixture.status(object))
        try FileManager.default.createDirectory(atPath: fixture.file("links"), withIntermediateDirectories: false)
        var count = 0
        while link(object, fixture.file("links/\(count)")) == 0 {
            count += 1
            // Not every file system has a limit that a test can reach; ext4 has 65000.
            try #require(count < 70_000, "this file system allows more links than the test can make; run it on ext4")
        }
        #expect(errno == EMLINK)
        #expect(try fixture.put(content, metadata: "one more") == .linked)
        #expect(try fixture.get(content, metadata: "one more") == content)
        #expect(try fixture.get(content) == content)
        #expect(try #require(fixture.status(object)).inode != first.inode)
        #expect(try #require(fixture.status(fixture.keyPath(content))).inode == first.inode)
    }

    @Test func `A damaged key of an object with the most links is healed, too`() throws {
        try fixture.put(content)
        let object = fixture.objectPath(content)
        try FileManager.default.createDirectory(atPath: fixture.file("links"), withIntermediateDirectories: false)
        for count in 0..<70_000 where link(object, fixture.file("links/\(count)")) != 0 { break }
        let key = try fixture.keyPath(content)
        unlink(key)
        try write([], to: key)
        #expect(link(object, fixture.file("links/one-more")) == 0)
        #expect(link(object, fixture.file("links/too-many")) != 0 && errno == EMLINK)
        #expect(try fixture.put(content) == .existed)
        #expect(try fixture.get(content) == content)
    }

    @Test(arguments: ["objects", "keys"])
    func `A folder at a file's place fails the upload, and leaves nothing in incoming`(place: String) throws {
        let path = place == "objects" ? fixture.objectPath(content) : try fixture.keyPath(content)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let digest = Digest(of: content)
        #expect(throws: StoreError.self) {
            let upload = try fixture.store.uploads.receive(
                from: source(content),
                length: UInt64(content.count),
                digest: digest
            )
            _ = try fixture.store.commit(upload, as: fixture.key(content))
        }
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

    @Test func `A payload deleted by another process is not believed to exist`() throws {
        let other = try PayloadStore(path: fixture.path, reserve: 0, logger: fixture.log.logger)
        try fixture.put(content)
        unlink(try fixture.keyPath(content))
        unlink(fixture.objectPath(content))
        #expect(try other.open(fixture.key(content)) == nil)
        #expect(try fixture.put(content) == .created)
        #expect(try fixture.get(content) == content)
    }

    @Test func `An upload whose retry came first cleans up only its own file`() throws {
        let key = try fixture.key(content)
        let size = UInt64(content.count)
        var first: VerifiedUpload? = try fixture.store.uploads.receive(
            from: source(content),
            length: size,
            digest: key.digest
        )
        let retry = try fixture.store.uploads.receive(from: source(content), length: size, digest: key.digest)
        #expect(try fixture.store.commit(retry, as: key) == .created)
        if let first { #expect(try fixture.store.commit(first, as: key) == .existed) }
        first = nil
        #expect(try fixture.get(content) == content)
    }

    @Test func `A retry after a partial write succeeds`() throws {
        let size = UInt64(content.count)
        let digest = Digest(of: content)
        #expect(throws: UploadMismatch.length(announced: size, actual: 3)) {
            try fixture.store.uploads.receive(from: source(Array(content.prefix(3))), length: size, digest: digest)
        }
        #expect(try fixture.put(content) == .created)
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
