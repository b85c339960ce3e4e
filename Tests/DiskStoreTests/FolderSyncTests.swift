import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import DiskStore

/// Which folders a commit has on disk before it answers.
@Suite(.timeLimit(.minutes(5))) struct FolderSyncTests {
    private let kernel = TestKernel()
    private let fixture: StoreFixture
    private let content = Array("a payload".utf8)

    init() throws {
        fixture = try StoreFixture(kernel: kernel)
        _ = kernel.takeSynchronized()
    }

    /// What was synced, relative to the store's root; as bytes, since some namespaces are equal as text.
    private func synced() -> [[UInt8]] {
        let root = fixture.path.utf8.count + 1
        return kernel.takeSynchronized().map { Array($0.utf8.dropFirst(root)) }
    }

    @Test(arguments: ["ns"] + namespacesThatMeltIntoSlashes)
    func `All folders that lead to a key are synced, whatever the namespace begins or ends with`(namespace: String)
        throws
    {
        try fixture.put(content, namespace: namespace)
        let synced = synced()
        let shard = Digest(of: content).shard
        for folder in [
            "objects", "objects/\(shard)", "keys", "keys/\(namespace)", "keys/\(namespace)/common",
            "keys/\(namespace)/common/\(shard)",
        ] {
            #expect(synced.contains(Array(folder.utf8)), "\(folder)")
        }
        #expect(synced.contains([]), "the root, above objects and keys")
    }

    @Test func `A prefix below one that is known to be on disk costs a sync of each folder that is new, and no other`()
        throws
    {
        try fixture.put(content, prefix: "team/one")
        _ = synced()
        try fixture.put(content, prefix: "team/two")
        let shard = Digest(of: content).shard
        let folders = synced().map { String(decoding: $0, as: UTF8.self) }.filter {
            fixture.status(fixture.file($0)).map { $0.size } != 0
        }
        #expect(
            folders == [
                "objects/\(shard)", "keys/ns/custom/team", "keys/ns/custom/team/two",
                "keys/ns/custom/team/two/@\(shard)",
            ]
        )
    }

    /// An order that the simulation's power losses rely on, too: content, the name of content, the key, its name.
    @Test func `Each thing is synced before the next one leads to it`() throws {
        try fixture.put(content)
        let shard = Digest(of: content).shard
        let other = payload(inShard: Digest(of: content).firstByte)
        _ = synced()
        try fixture.put(other)
        let key = StoreLayout.key(try fixture.key(other))
        let order = synced().map { String(decoding: $0, as: UTF8.self) }
        #expect(order.first?.hasPrefix("incoming/") == true)
        #expect(Array(order.dropFirst()) == ["objects/\(shard)", key, "keys/ns/common/\(shard)"])
    }

    @Test func `A deletion, a move to the trash and a restoration are on disk when they are answered`() throws {
        let folder = "keys/ns/common/\(Digest(of: content).shard)"
        let key = try fixture.key(content)
        func expectSynced(_ folder: String, _ change: () throws -> Void) rethrows {
            _ = synced()
            try change()
            #expect(synced().last == Array(folder.utf8))
        }
        try fixture.put(content)
        try expectSynced(folder) { try fixture.store.remove(key) }
        try fixture.put(content)
        try expectSynced(folder.replacingOccurrences(of: "keys", with: "trash/3600")) {
            try fixture.store.moveToTrash(key, now: 0)
        }
        let trashed = try #require(try fixture.store.trashed(key).first)
        try expectSynced(folder) { _ = try fixture.store.undelete(trashed) }
    }

    @Test func `Storing again syncs no folder above those of content and key`() throws {
        try fixture.put(content)
        _ = synced()
        try fixture.put(content)
        let shard = Digest(of: content).shard
        let folders: Set = ["objects/\(shard)", "keys/ns/common/\(shard)"]
        let key = StoreLayout.key(try fixture.key(content))
        #expect(Set(synced().map { String(decoding: $0, as: UTF8.self) }) == folders.union([key]))
    }
}
