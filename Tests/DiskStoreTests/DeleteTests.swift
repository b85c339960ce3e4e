import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite struct DeleteTests {
    private let fixture: StoreFixture
    private let content = Array("a payload".utf8)

    init() throws {
        fixture = try StoreFixture()
    }

    @Test func `A deleted key answers as never stored, the other keys of its content as before`() throws {
        try fixture.put(content)
        try fixture.put(content, namespace: "other")
        #expect(try fixture.store.delete(fixture.key(content)))
        #expect(try fixture.get(content) == nil)
        #expect(try fixture.get(content, namespace: "other") == content)
        #expect(try !fixture.store.delete(fixture.key(content)), "it is gone")
    }

    @Test func `Content goes with the sweep after its last key`() throws {
        try fixture.put(content)
        try fixture.put(content, namespace: "other")
        #expect(try fixture.store.delete(fixture.key(content)))
        #expect(try fixture.sweep().contents == 0)
        #expect(try fixture.store.delete(fixture.key(content, namespace: "other")))
        #expect(fixture.hasObject(content))
        #expect(try fixture.sweep().contents == 1)
        #expect(!fixture.hasObject(content))
    }

    @Test(arguments: [true, false])
    func `A deletion is asked for with the age that the key has under the lock`(isDurable: Bool) throws {
        try fixture.put(content)
        fixture.setModified(try fixture.keyPath(content), to: 1_764_073_800)
        var ages: [Int] = []
        let isDeleted = try fixture.store.delete(fixture.key(content), isDurable: isDurable) {
            ages.append($0)
            return true
        }
        #expect(isDeleted)
        #expect(ages == [1_764_073_800])
        #expect(try fixture.get(content) == nil)
    }

    @Test func `A key that is wanted by now stays`() throws {
        try fixture.put(content)
        #expect(try !fixture.store.delete(fixture.key(content), if: { _ in false }))
        #expect(try fixture.get(content) == content)
    }

    @Test func `A download under way goes on`() throws {
        try fixture.put(content)
        let payload = try #require(try fixture.store.open(fixture.key(content)))
        #expect(try fixture.store.delete(fixture.key(content)))
        var bytes: [UInt8] = []
        try payload.read(0..<payload.size) { bytes += Array($0) }
        #expect(bytes == content)
    }

    @Test func `A key whose content is lost can be deleted`() throws {
        try fixture.put(content)
        unlink(fixture.objectPath(content))
        #expect(try fixture.store.find(fixture.key(content)) != nil)
        #expect(try fixture.store.delete(fixture.key(content)))
        #expect(try fixture.store.find(fixture.key(content)) == nil)
    }

    @Test func `Listing and sweeping pass over files that are not the store's, and leave them`() throws {
        try fixture.put(content)
        let shard = Digest(of: content).shard
        let other = shard == "00" ? "01" : "00"
        let strays = [
            "objects/README", "objects/\(shard)/.nfs0001", "objects/\(shard)/\(Digest(of: content).hex).tmp",
            // An object's name, but not one of this shard.
            "objects/\(shard)/\(other)\(Digest(of: content).hex.dropFirst(2))", "keys/README", "keys/ns/README",
            "keys/ns/common/\(shard)/\(Digest(of: content).hex)", "keys/ns/common/\(other)/README",
        ]
        mkdir(fixture.file("keys/ns/common/\(other)"), 0o750)
        for path in strays { try write([1], to: fixture.file(path)) }
        symlink("/etc/passwd", fixture.file("objects/\(shard)/link"))
        var listed: [PayloadKey] = []
        try fixture.store.forEachKey { listed.append($0.key) }
        #expect(try listed == [fixture.key(content)])
        try fixture.store.forEachKey { _ = try fixture.store.delete($0.key) }
        #expect(try fixture.sweep().contents == 1, "the payload")
        try fixture.store.removeEmptyFolders()
        for path in strays + ["objects/\(shard)/link"] { #expect(fixture.status(fixture.file(path)) != nil, "\(path)") }
        try fixture.put(content)
        #expect(try fixture.get(content) == content)
    }

    @Test func `Empty folders go, those with a file stay, and uploads make them anew`() throws {
        try fixture.put(content, namespace: "emptied", prefix: "a/b")
        try fixture.put(content)
        #expect(try fixture.store.delete(fixture.key(content, namespace: "emptied", prefix: "a/b")))
        try FileManager.default.createDirectory(
            atPath: fixture.file("keys/stray/custom"),
            withIntermediateDirectories: true
        )
        try write([1], to: fixture.file("keys/stray/custom/file"))
        try fixture.store.removeEmptyFolders()
        #expect(fixture.status(fixture.file("keys/emptied")) == nil)
        #expect(fixture.status(fixture.file("keys/stray/custom/file")) != nil)
        #expect(try fixture.get(content) == content)
        #expect(try fixture.put(content, namespace: "emptied", prefix: "a/b") == .linked)
        #expect(try fixture.get(content, namespace: "emptied", prefix: "a/b") == content)
    }

    @Test func `Empty folders that are no part of the layout, or never had a key, stay`() throws {
        try fixture.put(content, namespace: "emptied")
        try fixture.put(content, namespace: "with notes", prefix: "p")
        let strays = [
            "keys/keepme", "keys/emptied/operator-notes", "keys/with notes/common/zz", "keys/with notes/custom/a b",
            "keys/emptied/common/\(Digest(of: content).shard)/folder", "keys/a\u{1}",
        ]
        for path in strays {
            #expect(throws: Never.self) {
                try FileManager.default.createDirectory(
                    atPath: fixture.file(path),
                    withIntermediateDirectories: true
                )
            }
        }
        try fixture.store.delete(fixture.key(content, namespace: "emptied"))
        try fixture.store.delete(fixture.key(content, namespace: "with notes", prefix: "p"))
        for _ in 0..<2 { try fixture.store.removeEmptyFolders() }
        for path in strays { #expect(fixture.status(fixture.file(path)) != nil, "\(path)") }
        #expect(fixture.status(fixture.file("keys/with notes/custom/p")) == nil)
    }

    @Test func `A payload that is stored again while it is collected for its age is there afterwards`() throws {
        let fixture = fixture
        let content = content
        try fixture.put(content)
        let key = try fixture.key(content)
        for _ in 0..<200 {
            let newest = time(nil) - 3600
            fixture.setAge(try fixture.keyPath(content), seconds: 7200)
            try atOnce { group in
                group.addTask {
                    try fixture.store.forEachKey { found in try fixture.store.delete(found.key) { $0 < newest } }
                }
                group.addTask { try fixture.put(content) }
            }
            #expect(try fixture.store.find(key).map { $0.lastStored > newest } == true)
            #expect(try fixture.get(content) == content)
        }
    }

    @Test func `An upload that comes between a deletion's look and its end waits, and is there afterwards`() throws {
        try fixture.put(content)
        let fixture = fixture
        let content = content
        let begun = Counter()
        let stored = Counter()
        try fixture.store.delete(fixture.key(content)) { _ in
            Thread {
                begun.add()
                if (try? fixture.put(content)) != nil { stored.add() }
            }.start()
            while begun.value == 0 { usleep(1000) }
            // Time to finish for an upload that does not wait.
            usleep(500_000)
            return true
        }
        try eventually("the upload is taken") { stored.value == 1 }
        #expect(try fixture.get(content) == content)
    }

    /// Two processes that want everything gone run against uploads of the same few payloads and of new ones: a key is
    /// there with its content, or not at all.
    @Test func `A storm of uploads, deletions and sweeps leaves each payload whole or gone`() throws {
        let fixture = fixture
        let shared = (0..<4).map { randomPayload(2000 + $0) }
        try atOnce { group in
            for uploader in 0..<4 {
                group.addTask {
                    for round in 0..<100 {
                        let content = round % 2 == 0 ? shared[round / 2 % 4] : randomPayload(1000)
                        try fixture.put(content, namespace: "ns\(uploader % 2)")
                        // It may be deleted already; what is left must be right.
                        if let found = try fixture.get(content, namespace: "ns\(uploader % 2)") {
                            #expect(found == content)
                        }
                    }
                }
            }
            for _ in 0..<2 {
                group.addTask {
                    for _ in 0..<30 {
                        try fixture.store.forEachKey { _ = try fixture.store.delete($0.key) }
                        try fixture.sweep()
                        try fixture.store.removeEmptyFolders()
                    }
                }
            }
        }
        // Every key that is left has its content.
        try fixture.store.forEachKey { stored in
            let payload = try #require(try fixture.store.open(stored.key))
            try payload.check(stored.key.digest)
        }
        try fixture.sweep()
        try fixture.store.forEachKey { _ = try fixture.store.delete($0.key) }
        try fixture.store.removeEmptyFolders()
        #expect(try fixture.store.namespaces().isEmpty)
        try fixture.sweep()
        #expect(files(below: fixture.file("objects")).isEmpty)
    }
}
