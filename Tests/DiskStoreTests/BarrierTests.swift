import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

/// What is stored while a collector is at work.
@Suite(.timeLimit(.minutes(5))) struct BarrierTests {
    private let fixture: StoreFixture
    private let content = payload(inShard: 0xAB)

    init() throws {
        fixture = try StoreFixture()
    }

    private func raise() throws -> Barrier { try Barrier(raising: 0xAB, fixture.store.root) }

    private var text: String? { try? String(contentsOfFile: fixture.file("barriers/ab"), encoding: .utf8) }

    /// A lock is held as long as a child that another test started meanwhile has not executed its program.
    private func whenNobodyHoldsIt() throws {
        try eventually("nobody holds the barrier") { try Barrier(of: 0xAB, fixture.store.root) == nil }
    }

    @Test func `What uploads store is listed in the barrier of its shard, as long as it is raised`() throws {
        let (other, elsewhere, after) = (payload(inShard: 0xAB), payload(inShard: 0xAC), payload(inShard: 0xAB))
        do {
            let barrier = try raise()
            try fixture.put(content)
            #expect(try barrier.digests().contains(Digest(of: content)))
            #expect(try !barrier.digests().contains(Digest(of: other)))
            try fixture.put(content, namespace: "other")
            try fixture.put(other)
            try fixture.put(elsewhere)
            #expect(try barrier.digests().contains(Digest(of: other)))
            #expect(try barrier.digests().contains(Digest(of: content)))
            #expect(try !barrier.digests().contains(Digest(of: elsewhere)))
        }
        try whenNobodyHoldsIt()
        let before = text
        try fixture.put(after)
        #expect(text == before)
    }

    @Test func `An upload that only renews a key is listed, too`() throws {
        try fixture.put(content)
        let barrier = try raise()
        #expect(try fixture.put(content) == .existed)
        #expect(try barrier.digests().contains(Digest(of: content)))
    }

    @Test(arguments: ["trash", "restoration"])
    func `What is moved to the trash, and what is restored, is listed`(what: String) throws {
        try fixture.put(content)
        let key = try fixture.key(content)
        if what == "restoration" { try fixture.store.moveToTrash(key) }
        let barrier = try raise()
        if what == "restoration" {
            _ = try fixture.store.undelete(#require(try fixture.store.trashed(key).first))
        } else {
            try fixture.store.moveToTrash(key)
        }
        #expect(try barrier.digests().contains(Digest(of: content)))
    }

    @Test func `What a killed collector has left in a barrier keeps no content from the next sweep`() throws {
        try fixture.put(content)
        try write("\n\(Digest(of: content).hex)\n".utf8, to: fixture.file("barriers/ab"))
        try fixture.store.remove(fixture.key(content))
        #expect(try fixture.sweep().contents == 1)
    }

    @Test func `A line that was not written whole takes none of the next ones with it`() throws {
        let barrier = try raise()
        let file = try #require(FileHandle(forUpdatingAtPath: fixture.file("barriers/ab")))
        try file.write(contentsOf: Data("\n\(Digest(of: [1]).hex.prefix(20))".utf8))
        try file.close()
        try fixture.put(content)
        #expect(try barrier.digests().contains(Digest(of: content)))
    }

    @Test func `A store that was copied without its barriers is swept, and made whole by that`() throws {
        try fixture.put(content)
        try FileManager.default.removeItem(atPath: fixture.file("barriers"))
        try fixture.put(content, namespace: "other")
        #expect(try fixture.sweep().contents == 0)
        #expect(fixture.status(fixture.file("barriers/ab"))?.mode == 0o640)
    }
}
