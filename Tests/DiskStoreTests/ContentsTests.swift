import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct ContentsTests {
    @Test func `Keys come by their content, each once, however few of them may be in memory`() throws {
        let fixture = try StoreFixture()
        let contents = (0..<40).map { randomPayload(100 + $0) }
        var expected: [Digest: Set<String>] = [:]
        for (index, content) in contents.enumerated() {
            for namespace in ["a", "b", "c"].prefix(index % 3 + 1) {
                try fixture.put(content, namespace: namespace, prefix: index % 2 == 0 ? "p/q" : nil)
                let key = try fixture.key(content, namespace: namespace, prefix: index % 2 == 0 ? "p/q" : nil)
                expected[key.digest, default: []].insert("\(key)")
            }
        }
        for keysInMemory in [0, 1, 7, 1_000] {
            var found: [(digest: Digest, keys: [String])] = []
            try fixture.store.forEachContent(keysInMemory: keysInMemory) { content in
                found.append((content.digest, content.keys.map { "\($0.key)" }))
                #expect(content.size.map { (100..<140).contains($0) } == true)
            }
            #expect(found.count == contents.count)
            #expect(
                found.allSatisfy { Set($0.keys) == expected[$0.digest] && $0.keys.count == expected[$0.digest]?.count }
            )
            #expect(found.map(\.digest.hex) == found.map(\.digest.hex).sorted())
        }
    }

    @Test func `Only the selected keys come`() throws {
        let fixture = try StoreFixture()
        try fixture.put([1], namespace: "a")
        try fixture.put([1], namespace: "b", prefix: "p")
        var found: [String] = []
        let selection = KeySelection(prefix: KeyPrefix(validating: "p".utf8))
        try fixture.store.forEachContent(in: selection) { found += $0.keys.map { "\($0.key)" } }
        #expect(found == ["\(try fixture.key([1], namespace: "b", prefix: "p"))"])
    }

    @Test func `Keys of the trash come last, where they are asked for`() throws {
        let fixture = try StoreFixture()
        for namespace in ["a", "b", "c"] { try fixture.put([1], namespace: namespace) }
        try fixture.store.moveToTrash(fixture.key([1], namespace: "a"))
        try fixture.put([2], namespace: "a")
        try fixture.store.moveToTrash(fixture.key([2], namespace: "a"))
        func names(includesTrash: Bool) throws -> [String] {
            var found: [String] = []
            try fixture.store.forEachContent(includesTrash: includesTrash) { content in
                found.append(content.keys.map { "\($0.key.namespace)\($0.isInTrash ? "-" : "")" }.joined())
            }
            return found.sorted()
        }
        #expect(try names(includesTrash: false) == ["bc"])
        #expect(try names(includesTrash: true) == ["a-", "bca-"])
    }

    @Test func `Content that is lost comes with its keys, and without a size`() throws {
        let fixture = try StoreFixture()
        try fixture.put([1])
        unlink(fixture.objectPath([1]))
        var found: [StoredContent] = []
        try fixture.store.forEachContent { found.append($0) }
        #expect(found.count == 1 && found.allSatisfy { $0.size == nil && $0.diskUsage == 0 })
        #expect(try found.first?.keys.map(\.key) == [fixture.key([1])])
    }

    @Test func `The keys of one content are counted, those in the trash included`() throws {
        let fixture = try StoreFixture()
        #expect(try fixture.store.keyCount(of: Digest(of: [1])) == 0)
        for namespace in ["a", "b", "c"] { try fixture.put([1], namespace: namespace, prefix: "p/q") }
        try fixture.put([2])
        try fixture.store.moveToTrash(fixture.key([1], namespace: "a", prefix: "p/q"))
        #expect(try fixture.store.keyCount(of: Digest(of: [1])) == 3)
    }
}
