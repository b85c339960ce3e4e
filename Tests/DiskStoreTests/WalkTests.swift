import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import PayloadStore

@Suite struct WalkTests {
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

    @Test func `A prefix that looks like a shard is told from one`() throws {
        let content = Array("payload".utf8)
        let shard = Digest(of: content).shard
        let stored = try [put("payload", prefix: shard), put("payload", prefix: "\(shard)/\(shard)")]
        #expect(try keys() == Set(stored))
        #expect(try keys(KeySelection(prefix: KeyPrefix(validating: shard.utf8))) == Set(stored))
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

    @Test func `A key tells its size, its age and how many share its content`() throws {
        let content = randomPayload(10_000)
        try fixture.put(content)
        try fixture.put(content, namespace: "other")
        fixture.setAge(try fixture.keyPath(content), seconds: 1000)
        let stored = try #require(try fixture.store.find(fixture.key(content)))
        #expect(stored.size == 10_000)
        #expect(stored.sharers == 2)
        #expect(abs(time(nil) - 1000 - stored.lastStored) < 60)
        #expect(stored.diskUsage >= 10_000)
        #expect(try fixture.store.find(fixture.key([1])) == nil)
    }
}
