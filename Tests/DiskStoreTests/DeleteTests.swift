import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct DeleteTests {
    private let fixture: StoreFixture
    private let content = Array("a payload".utf8)

    init() throws {
        fixture = try StoreFixture()
    }

    @Test(arguments: [true, false])
    func `A deletion is asked for with the age that the key has under the lock`(isDurable: Bool) throws {
        try fixture.put(content)
        fixture.setModified(try fixture.keyPath(content), to: 1_764_073_800)
        var ages: [Int] = []
        let isDeleted = try fixture.store.remove(fixture.key(content), isDurable: isDurable) {
            ages.append($0)
            return true
        }
        #expect(isDeleted != nil)
        #expect(ages == [1_764_073_800])
        #expect(try fixture.get(content) == nil)
    }

    @Test func `A key that is wanted by now stays`() throws {
        try fixture.put(content)
        #expect(try fixture.store.remove(fixture.key(content), if: { _ in false }) == nil)
        #expect(try fixture.get(content) == content)
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
        try fixture.store.forEachKey { _ = try fixture.store.remove($0.key) }
        #expect(try fixture.sweep().contents == 1, "the payload")
        try fixture.store.removeEmptyFolders()
        for path in strays + ["objects/\(shard)/link"] { #expect(fixture.status(fixture.file(path)) != nil, "\(path)") }
        try fixture.put(content)
        #expect(try fixture.get(content) == content)
    }

    @Test func `Empty folders go, those with a file stay, and uploads make them anew`() throws {
        try fixture.put(content, namespace: "emptied", prefix: "a/b")
        try fixture.put(content)
        #expect(try fixture.store.remove(fixture.key(content, namespace: "emptied", prefix: "a/b")) != nil)
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
        try fixture.store.remove(fixture.key(content, namespace: "emptied"))
        try fixture.store.remove(fixture.key(content, namespace: "with notes", prefix: "p"))
        for _ in 0..<2 { try fixture.store.removeEmptyFolders() }
        for path in strays { #expect(fixture.status(fixture.file(path)) != nil, "\(path)") }
        #expect(fixture.status(fixture.file("keys/with notes/custom/p")) == nil)
    }

    @Test func `An upload that comes between a deletion's look and its end waits, and is there afterwards`() throws {
        try fixture.put(content)
        let kernel = TestKernel()
        let uploading = try fixture.open(kernel: kernel)
        let (content, key) = (content, try fixture.key(content))
        let stored = Counter()
        try fixture.store.remove(key) { _ in
            Thread { if (try? uploading.put(content, key)) != nil { stored.add() } }.start()
            while kernel.refusedLocks == 0, stored.value == 0 { usleep(1000) }
            #expect(stored.value == 0)
            return true
        }
        try eventually("the upload is taken") { stored.value == 1 }
        #expect(try fixture.get(content) == content)
    }
}
