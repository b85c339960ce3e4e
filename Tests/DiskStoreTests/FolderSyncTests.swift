import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import DiskStore

/// Which folders a commit has on disk before it answers.
@Suite struct FolderSyncTests {
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
