import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct ContentsTests {
    private let disk: TestStore

    init() throws { disk = try TestStore() }

    @Test func `Keys are listed by content, each once, whatever the memory limit`() throws {
        let contents = (0..<40).map { randomPayload(100 + $0) }
        var expected: [Digest: Set<PayloadKey>] = [:]
        for (index, content) in contents.enumerated() {
            for namespace in ["a", "b", "c"].prefix(index % 3 + 1) {
                let key = try disk.put(content, namespace, prefix: index % 2 == 0 ? "p/q" : nil)
                expected[key.digest, default: []].insert(key)
            }
        }
        for keysInMemory in [0, 1, 7, 1_000] {
            var found: [Digest] = []
            try disk.store.forEachContent(keysInMemory: keysInMemory) { content in
                found.append(content.digest)
                #expect(content.size.map { (100..<140).contains($0) } == true)
                #expect(Set(content.keys.map(\.key)) == expected[content.digest])
                #expect(content.keys.count == expected[content.digest]?.count)
            }
            #expect(found.count == contents.count)
            #expect(found.map(\.hex) == found.map(\.hex).sorted())
        }
    }

    @Test func `Only the selected keys are listed, those in the trash last and only on request`() throws {
        for namespace in ["a", "b", "c"] { try disk.put([1], namespace, prefix: namespace) }
        try disk.store.moveToTrash(payloadKey([1], "a", prefix: "a"))
        try disk.store.moveToTrash(disk.put([2], "a"))
        func names(of prefix: String? = nil, includesTrash: Bool = false) throws -> [String] {
            var found: [String] = []
            let selection = KeySelection(prefix: prefix.flatMap { KeyPrefix(validating: $0.utf8) })
            try disk.store.forEachContent(in: selection, includesTrash: includesTrash) { content in
                found.append(content.keys.map { "\($0.key.namespace)\($0.isInTrash ? "-" : "")" }.joined())
            }
            return found.sorted()
        }
        #expect(try names() == ["bc"])
        #expect(try names(of: "b") == ["b"])
        #expect(try names(includesTrash: true) == ["a-", "bca-"])
    }

    @Test func `Lost content is listed with its keys and without a size`() throws {
        let key = try disk.put([1])
        unlink(disk.objectFile([1]))
        var found: [StoredContent] = []
        try disk.store.forEachContent { found.append($0) }
        #expect(found.count == 1 && found.allSatisfy { $0.size == nil && $0.diskUsage == 0 })
        #expect(found.first?.keys.map(\.key) == [key])
    }

    @Test func `The count of a content's keys includes those in the trash`() throws {
        #expect(try disk.store.keyCount(of: Digest(of: [1])) == 0)
        let keys = try ["a", "b", "c"].map { try disk.put([1], $0, prefix: "p/q") }
        try disk.put([2])
        try disk.store.moveToTrash(keys[0])
        #expect(try disk.store.keyCount(of: Digest(of: [1])) == 3)
    }
}
