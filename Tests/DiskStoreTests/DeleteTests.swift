import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct DeleteTests {
    private let disk: TestStore
    private let content = Array("a payload".utf8)

    init() throws { disk = try TestStore() }

    @Test func `Listing and sweeping ignore stray files and leave them alone`() throws {
        let key = try disk.put(content)
        let (shard, hex) = (Digest(of: content).shard, Digest(of: content).hex)
        let other = shard == "00" ? "01" : "00"
        let strays = [
            "objects/README", "objects/\(shard)/.nfs0001", "objects/\(shard)/\(hex).tmp",
            // An object's name in the wrong shard.
            "objects/\(shard)/\(other)\(hex.dropFirst(2))", "keys/README", "keys/ns/README", "keys/ns/custom/README",
            "keys/ns/common/\(shard)/\(hex)", "keys/ns/common/\(other)/README",
            // A key's name in the wrong shard.
            "keys/ns/common/\(other)/\(hex).\(hex)", "objects/\(shard)/link",
        ]
        for folder in ["keys/ns/common/\(other)", "keys/ns/custom"] { try disk.makeFolder(disk.file(folder)) }
        for path in strays.dropLast() { try write([1], to: disk.file(path)) }
        symlink("/etc/passwd", disk.file("objects/\(shard)/link"))
        #expect(try disk.keys() == [key])
        try disk.store.forEachKey { _ = try disk.store.remove($0.key) }
        #expect(try disk.sweep().contents == 1, "the payload")
        try disk.store.removeEmptyFolders()
        for path in strays { #expect(disk.status(disk.file(path)) != nil, "\(path)") }
        try disk.put(content)
        #expect(try disk.get(content) == content)
    }

    @Test func `Empty folders are removed except strays, and uploads recreate them`() throws {
        let emptied = try [disk.put(content, "emptied", prefix: "a/b"), disk.put(content, "with notes", prefix: "p")]
        try disk.put(content)
        let strays = [
            "keys/keepme", "keys/notes/operator-notes", "keys/with notes/common/zz", "keys/with notes/custom/a b",
            "keys/with notes/common/\(Digest(of: content).shard)/folder", "keys/a\u{1}", "keys/file/custom",
        ]
        for path in strays { try disk.makeFolder(disk.file(path)) }
        try write([1], to: disk.file("keys/file/custom/file"))
        for key in emptied { try disk.store.remove(key) }
        for _ in 0..<2 { try disk.store.removeEmptyFolders() }
        for path in strays + ["keys/file/custom/file"] { #expect(disk.status(disk.file(path)) != nil, "\(path)") }
        for path in ["keys/emptied", "keys/with notes/custom/p"] { #expect(disk.status(disk.file(path)) == nil) }
        #expect(try disk.get(content) == content)
        #expect(try disk.commit(content, as: emptied[0]) == .linked)
        #expect(try disk.get(emptied[0]) == content)
    }

    @Test func `An upload during a deletion waits for it, then stores the payload`() throws {
        let key = try disk.put(content)
        let kernel = TestKernel()
        let uploading = try disk.open(kernel: kernel)
        let content = content
        let stored = Counter()
        try disk.store.remove(key) { _ in
            Thread { if (try? uploading.put(content, as: key)) != nil { stored.add() } }.start()
            while kernel.refusedLocks == 0, stored.value == 0 { usleep(1000) }
            #expect(stored.value == 0)
            return true
        }
        try eventually("the upload succeeds") { stored.value == 1 }
        #expect(try disk.get(content) == content)
    }
}
