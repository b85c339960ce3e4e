import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct WalkTests {
    private let fixture: StoreFixture

    init() throws {
        fixture = try StoreFixture()
    }

    private func keys(_ selection: KeySelection = KeySelection()) throws -> Set<String> {
        var keys: [String] = []
        try fixture.store.forEachKey(in: selection) { keys.append("\($0.key)") }
        #expect(Set(keys).count == keys.count, "each key once")
        return Set(keys)
    }

    private func put(_ text: String, namespace: String = "ns", prefix: String? = nil) throws -> String {
        try fixture.put(Array(text.utf8), namespace: namespace, prefix: prefix)
        return "\(try fixture.key(Array(text.utf8), namespace: namespace, prefix: prefix))"
    }

    @Test func `An empty store has no keys`() throws {
        #expect(try keys().isEmpty)
    }

    @Test func `Every key is found, of every namespace and prefix`() throws {
        let stored = try [
            put("a"), put("b"), put("a", namespace: "other"), put("a", prefix: "p"), put("a", prefix: "p/q"),
            put("c", namespace: "Ä ö", prefix: "p"),
        ]
        #expect(try keys() == Set(stored))
    }

    @Test func `A selection has the keys of a namespace, or below a prefix, and no others`() throws {
        let common = try put("a")
        let short = try put("a", prefix: "p")
        let long = try put("a", prefix: "p/q")
        let other = try put("a", namespace: "other", prefix: "p")
        _ = try put("a", prefix: "pq")
        let ns = try Namespace(validating: "ns".utf8)
        let p = try #require(KeyPrefix(validating: "p".utf8))
        #expect(try keys(KeySelection(namespace: ns)).isSuperset(of: [common, short, long]))
        #expect(try !keys(KeySelection(namespace: ns)).contains(other))
        #expect(try keys(KeySelection(prefix: p)) == [short, long, other])
        #expect(try keys(KeySelection(namespace: ns, prefix: p)) == [short, long])
        #expect(try keys(KeySelection(namespace: Namespace(validating: "absent".utf8))).isEmpty)
    }

    /// A prefix, and one below it that is called as the shard of the keys of the first one.
    @Test func `A prefix that is called like a shard is told from the shards of the prefix above it`() throws {
        let content = payload(inShard: 0x1B)
        for prefix in ["team", "team/1b", "1b"] { try fixture.put(content, prefix: prefix) }
        let (team, below) = try (
            "\(fixture.key(content, prefix: "team"))", "\(fixture.key(content, prefix: "team/1b"))"
        )
        func selection(_ prefix: String) -> KeySelection {
            KeySelection(prefix: KeyPrefix(validating: prefix.utf8))
        }
        func ages(_ selection: KeySelection) throws -> Set<String> {
            var found: Set<String> = []
            try fixture.store.forEachAge(in: selection) { key, _ in found.insert("\(key)") }
            return found
        }
        func contents(_ selection: KeySelection) throws -> Set<String> {
            var found: Set<String> = []
            try fixture.store.forEachContent(in: selection) { found.formUnion($0.keys.map { "\($0.key)" }) }
            return found
        }
        func trashed(_ selection: KeySelection) throws -> Set<String> {
            var found: Set<String> = []
            try fixture.store.forEachTrashedKey(in: selection) { found.insert("\($0.stored.key)") }
            return found
        }
        for found in [keys, ages, contents] {
            #expect(try found(selection("team/1b")) == [below])
            #expect(try found(selection("team")) == [team, below])
            #expect(try found(selection("1b")).count == 1)
            #expect(try found(KeySelection()).count == 3)
        }
        for prefix in ["team", "team/1b", "1b"] {
            try fixture.store.moveToTrash(fixture.key(content, prefix: prefix))
        }
        #expect(try trashed(selection("team/1b")) == [below])
        #expect(try trashed(selection("team")) == [team, below])
        #expect(try trashed(KeySelection()).count == 3)
        #expect(try keys().isEmpty)
    }

    @Test func `Only the keys of the shards that are asked for come`() throws {
        let contents = [0x00, 0x1B, 0xFF].map { payload(inShard: $0) }
        for content in contents { for prefix in [nil, "p"] { try fixture.put(content, prefix: prefix) } }
        var found: Set<Digest> = []
        var count = 0
        try fixture.store.forEachKey(below: StoreLayout.keys, shards: { $0 != 0x1B }) { key, _ in
            found.insert(key.digest)
            count += 1
        }
        #expect(found == [Digest(of: contents[0]), Digest(of: contents[2])])
        #expect(count == 4)
    }

    @Test func `What is not a key is passed over`() throws {
        let stored = try put("a")
        let folder = URL(fileURLWithPath: try fixture.keyPath(Array("a".utf8))).deletingLastPathComponent().path
        try write([1], to: "\(folder)/stray")
        try write([1], to: "\(folder)/" + String(repeating: "0", count: 64) + "." + String(repeating: "0", count: 64))
        try write([1], to: fixture.file("keys/stray"))
        try FileManager.default.createDirectory(
            atPath: fixture.file("keys/ns/custom"),
            withIntermediateDirectories: true
        )
        try write([1], to: fixture.file("keys/ns/custom/stray"))
        #expect(try keys() == [stored])
    }

    @Test func `A key tells its size and its age`() throws {
        let content = randomPayload(10_000)
        try fixture.put(content)
        try fixture.put(content, namespace: "other")
        fixture.setAge(try fixture.keyPath(content), seconds: 1000)
        let stored = try #require(try fixture.store.find(fixture.key(content)))
        #expect(stored.size == 10_000)
        #expect(abs(time(nil) - 1000 - stored.lastStored) < 60)
        #expect(stored.diskUsage >= 10_000)
        #expect(try fixture.store.find(fixture.key([1])) == nil)
    }
}
