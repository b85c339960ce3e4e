import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

@testable import DiskStore

/// Which paths are synced, and in which order. The simulation's power losses show that these syncs suffice.
@Suite(.runLimit) struct FolderSyncTests {
    private let kernel = TestKernel()
    private let disk: TestStore
    private let content = Array("a payload".utf8)

    init() throws {
        disk = try TestStore(kernel: kernel)
        _ = kernel.takeSynchronized()
    }

    /// The paths that a change syncs, relative to the store's root, as bytes: some namespaces are equal as text.
    private func synced(by change: () throws -> Void) rethrows -> [[UInt8]] {
        _ = kernel.takeSynchronized()
        try change()
        return kernel.takeSynchronized().map { Array($0.utf8.dropFirst(disk.path.utf8.count + 1)) }
    }

    private func paths(by change: () throws -> Void) rethrows -> [String] {
        try synced(by: change).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: ["ns"] + namespacesThatMeltIntoSlashes)
    func `Every folder above a key is synced, whatever the namespace begins or ends with`(namespace: String)
        throws
    {
        let synced = try synced { try disk.put(content, namespace) }
        let shard = Digest(of: content).shard
        // The empty path is the store's root.
        let folders = ["", "objects", "objects/\(shard)", "keys", "keys/\(namespace)", "keys/\(namespace)/common"]
        for folder in folders + ["keys/\(namespace)/common/\(shard)"] {
            #expect(synced.contains(Array(folder.utf8)), "\(folder)")
        }
    }

    @Test func `Files and folders are synced before anything refers to them, and only if necessary`() throws {
        let (first, other) = (content, payload(inShard: Digest(of: content).shard))
        try disk.put(first, prefix: "team/one")
        let (objects, team) = ("objects/\(Digest(of: first).shard)", "keys/ns/custom/team")
        let shard = "\(team)/two/@\(Digest(of: first).shard)"
        let (key, new) = try (payloadKey(first, prefix: "team/two"), payloadKey(other, prefix: "team/two"))
        let (keyFile, newFile) = (disk.relative(disk.keyFile(key)), disk.relative(disk.keyFile(new)))
        #expect(
            try paths { _ = try disk.commit(first, as: key) } == [objects, team, "\(team)/two", keyFile, shard],
            "the parent prefix is known to be on disk"
        )
        #expect(try Set(paths { _ = try disk.commit(first, as: key) }) == [objects, keyFile, shard], "again")
        let order = try paths { _ = try disk.commit(other, as: new) }
        #expect(order.first?.hasPrefix("incoming/") == true && order.dropFirst() == [objects, newFile, shard])
    }

    /// A hundred seeds of the simulation detect a missing sync after a deletion or a move to the trash, but not here.
    @Test func `A restored key is on disk before the restoration returns`() throws {
        try disk.store.moveToTrash(disk.put(content))
        let trashed = try #require(disk.trashed().first)
        let folder = "keys/ns/common/\(Digest(of: content).shard)"
        #expect(try paths { _ = try disk.store.undelete(trashed) }.last == folder)
    }
}
