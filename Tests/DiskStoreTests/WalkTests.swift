import Foundation
import PayloadKey
import Storage
import StoreSupport
import TestSupport
import Testing

@testable import DiskStore

/// What every store lists, StorageConformanceTests show.
@Suite(.timeLimit(.minutes(5))) struct WalkTests {
    private let disk: TestStore

    init() throws { disk = try TestStore() }

    /// A prefix, and one below it that is called as the shard of the keys of the first one.
    @Test func `A prefix that is called like a shard is told from the shards of the prefix above it`() throws {
        let content = payload(inShard: "1b")
        let (team, below) = try (disk.put(content, prefix: "team"), disk.put(content, prefix: "team/1b"))
        let short = try disk.put(content, prefix: "1b")
        func keys(_ selection: KeySelection) throws -> Set<PayloadKey> { try disk.store.keys(selection) }
        func ages(_ selection: KeySelection) throws -> Set<PayloadKey> {
            var found: Set<PayloadKey> = []
            try disk.store.forEachAge(in: selection) { key, _ in found.insert(key) }
            return found
        }
        func contents(_ selection: KeySelection) throws -> Set<PayloadKey> {
            var found: Set<PayloadKey> = []
            try disk.store.forEachContent(in: selection) { found.formUnion($0.keys.map(\.key)) }
            return found
        }
        func trashed(_ selection: KeySelection) throws -> Set<PayloadKey> {
            Set(try disk.trashed(selection).map(\.stored.key))
        }
        func expectSelected(by find: (KeySelection) throws -> Set<PayloadKey>) throws {
            for (prefix, expected) in [("team/1b", [below]), ("team", [team, below]), ("1b", [short])] {
                #expect(try find(KeySelection(prefix: KeyPrefix(validating: prefix.utf8))) == Set(expected))
            }
            #expect(try find(KeySelection()) == [team, below, short])
        }
        for find in [keys, ages, contents] { try expectSelected(by: find) }
        for key in [team, below, short] { try disk.store.moveToTrash(key) }
        try expectSelected(by: trashed)
        #expect(try disk.keys().isEmpty)
    }

    @Test func `Only the keys of the shards that are asked for come`() throws {
        let contents = ["00", "1b", "ff"].map { payload(inShard: $0) }
        for content in contents { for prefix in [nil, "p"] { try disk.put(content, prefix: prefix) } }
        var found: [Digest] = []
        try disk.store.forEachKey(below: StoreLayout.keys, shards: { $0 != 0x1B }) { key, _ in found.append(key.digest)
        }
        #expect(found.count == 4 && Set(found) == [Digest(of: contents[0]), Digest(of: contents[2])])
    }
}
