import PayloadKey
import TestSupport
import Testing

@testable import PayloadStore

@Suite struct ContentsTests {
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
            try fixture.store.forEachContent(keysInMemory: keysInMemory) { digest, keys in
                found.append((digest, keys.map { "\($0.key)" }))
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
        try fixture.store.forEachContent(in: selection) { found += $1.map { "\($0.key)" } }
        #expect(found == ["\(try fixture.key([1], namespace: "b", prefix: "p"))"])
    }
}
