import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

/// Keys stored during a garbage collection, and the barrier that protects their content.
@Suite(.runLimit) struct BarrierTests {
    private let disk: TestStore
    private let content = payload(inShard: "ab")

    init() throws { disk = try TestStore() }

    private func raise() throws -> Barrier { try Barrier(raising: 0xAB, disk.store.root) }

    private var text: String? { try? String(contentsOfFile: disk.file("barriers/ab"), encoding: .utf8) }

    @Test func `Uploads are listed in the barrier of their shard while it is raised`() throws {
        let (other, elsewhere) = (payload(inShard: "ab"), payload(inShard: "ac"))
        do {
            let barrier = try raise()
            try disk.put(content)
            #expect(try barrier.digests().contains(Digest(of: content)))
            #expect(try !barrier.digests().contains(Digest(of: other)))
            for payload in [content, other, elsewhere] { try disk.put(payload, "other") }
            #expect(try barrier.digests().isSuperset(of: [Digest(of: other), Digest(of: content)]))
            #expect(try !barrier.digests().contains(Digest(of: elsewhere)))
        }
        // A child process that another test started holds the lock until it calls execve(2).
        try eventually("the barrier is lowered") { try Barrier(of: 0xAB, disk.store.root) == nil }
        let before = text
        try disk.put(payload(inShard: "ab"))
        #expect(text == before)
    }

    @Test(arguments: ["renewal", "trash", "restoration"])
    func `Content whose key is renewed, moved to the trash or restored is listed in the barrier`(what: String) throws {
        let key = try disk.put(content)
        if what == "restoration" { try disk.store.moveToTrash(key) }
        let barrier = try raise()
        switch what {
        case "renewal": #expect(try disk.commit(content) == .existed)
        case "trash": try disk.store.moveToTrash(key)
        default: _ = try disk.store.undelete(disk.trashed()[0])
        }
        #expect(try barrier.digests().contains(Digest(of: content)))
    }

    @Test func `A killed collector's barrier does not protect content from the next sweep`() throws {
        let key = try disk.put(content)
        try write("\n\(Digest(of: content).hex)\n".utf8, to: disk.file("barriers/ab"))
        try disk.store.remove(key)
        #expect(try disk.sweep().contents == 1)
    }

    @Test func `A torn line in a barrier does not affect the next lines`() throws {
        let barrier = try raise()
        let file = try #require(FileHandle(forUpdatingAtPath: disk.file("barriers/ab")))
        try file.write(contentsOf: Data("\n\(Digest(of: [1]).hex.prefix(20))".utf8))
        try file.close()
        try disk.put(content)
        #expect(try barrier.digests().contains(Digest(of: content)))
    }

    @Test func `Sweeping a store that was copied without its barriers recreates them`() throws {
        try disk.put(content)
        try FileManager.default.removeItem(atPath: disk.file("barriers"))
        try disk.put(content, "other")
        #expect(try disk.sweep().contents == 0)
        #expect(disk.status(disk.file("barriers/ab"))?.mode == 0o640)
    }
}
