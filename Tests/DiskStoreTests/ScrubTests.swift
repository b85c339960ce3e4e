import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite struct ScrubTests {
    private let fixture: StoreFixture
    private let content = randomPayload(300_000)
    private let sound = randomPayload(1_000)

    init() throws {
        fixture = try StoreFixture()
        try fixture.put(content)
        try fixture.put(content, namespace: "other", prefix: "p/q")
        try fixture.put(sound)
    }

    private func scrub() throws -> [Damage] {
        var found: [Damage] = []
        _ = try fixture.store.scrub { found.append(try #require($0.damage)) }
        return found
    }

    @Test func `A sound object is read once, however many keys name it, and nothing is found`() throws {
        for index in 0..<20 { try fixture.put(content, namespace: "n\(index)", metadata: "\(index)") }
        var paced = 0
        let read = try fixture.store.scrub(pace: { paced += $0 }) { Issue.record("\($0)") }
        #expect(read.files == 2)
        #expect(read.bytes == 301_000)
        #expect(paced == 301_000)
        #expect(try fixture.store.contentToScrub(.everything) == 301_000)
        #expect(try fixture.get(content) == content)
    }

    @Test func `Every shard is read, the first and the last ones, too`() throws {
        let fixture = try StoreFixture()
        let shards: [UInt8] = [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF]
        let contents = shards.map { payload(inShard: $0) }
        for content in contents {
            try fixture.put(content)
            try fixture.harm(content)
        }
        var found: [Digest] = []
        let read = try fixture.store.scrub { found.append(try #require($0.damage?.digest)) }
        #expect(read.files == shards.count)
        #expect(found == contents.map { Digest(of: $0) })
        #expect(try contents.allSatisfy { try fixture.get($0) == nil })
    }

    @Test(arguments: Harm.allCases)
    func `Damaged content goes to quarantine, and all its keys answer as never stored`(harm: Harm) throws {
        try fixture.harm(content, harm)
        let found = try scrub()
        #expect(found.count == 1)
        #expect(found.first?.digest == Digest(of: content))
        #expect(
            try Set(found.first?.keys.map(\.description) ?? []) == [
                "\(fixture.key(content))", "\(fixture.key(content, namespace: "other", prefix: "p/q"))",
            ]
        )
        #expect(try fixture.get(content) == nil)
        #expect(try fixture.get(content, namespace: "other", prefix: "p/q") == nil)
        #expect(try fixture.get(sound) == sound)
        #expect(try found.map(\.quarantine) == fixture.quarantined().map { "quarantine/\($0)" })
        #expect(try scrub().isEmpty, "once is enough")
    }

    @Test func `The keys of damaged content stay, with their ages`() throws {
        fixture.setModified(try fixture.keyPath(content), to: 1_764_073_800)
        try fixture.harm(content)
        _ = try scrub()
        #expect(try fixture.store.find(fixture.key(content))?.lastStored == 1_764_073_800)
        #expect(try fixture.sweep().contents == 0)
        #expect(try fixture.quarantined().count == 1, "the damaged content is kept for an operator to look at")
    }

    @Test func `Damaged content that no key names goes to quarantine, too`() throws {
        try fixture.store.delete(fixture.key(sound))
        try fixture.harm(sound)
        let found = try scrub()
        #expect(found.map(\.digest) == [Digest(of: sound)])
        #expect(found.flatMap(\.keys).isEmpty && found.flatMap(\.trashed).isEmpty)
        #expect(!fixture.hasObject(sound))
    }

    @Test(arguments: [["\u{301}x", "x\u{600}", "\u{200D}"], ["\u{E9}", "e\u{301}"]])
    func `Keys of namespaces that are no text for comparing are revived, each of them`(namespaces: [String]) throws {
        for namespace in namespaces { try fixture.put(content, namespace: namespace) }
        try fixture.harm(content)
        #expect(try scrub().flatMap(\.keys).count == 2 + namespaces.count)
        try fixture.put(content)
        for namespace in namespaces { #expect(try fixture.get(content, namespace: namespace) == content) }
        #expect(try fixture.get(content, namespace: "other", prefix: "p/q") == content)
    }

    @Test func `Content that an upload replaces while it is scrubbed stays`() throws {
        let fixture = fixture
        let content = content
        try fixture.harm(content)
        var isReplaced = false
        var found: [Finding] = []
        _ = try fixture.store.scrub(pace: { count in
            guard count > 1_000, !isReplaced else { return }
            isReplaced = true
            #expect(throws: Never.self) { try fixture.put(content, namespace: "third") }
        }) { found.append($0) }
        #expect(isReplaced)
        #expect(found.map { $0.damage?.quarantine } == [nil], "nothing was left to move")
        #expect(found.first?.damage?.keys.count == 3)
        for (namespace, prefix) in [("ns", nil), ("other", "p/q"), ("third", nil)] {
            #expect(try fixture.get(content, namespace: namespace, prefix: prefix) == content)
        }
        #expect(try fixture.quarantined().count == 1, "by the upload")
        #expect(try scrub().isEmpty)
    }

    @Test func `Quarantine takes the object that was read, and no other`() throws {
        try fixture.harm(content)
        let path = StoreLayout.object(Digest(of: content))
        let wrong = WrongContent(content: try #require(try FileContent(path, below: fixture.store.root)), reason: "")
        try fixture.put(content)
        #expect(try fixture.store.quarantine(Digest(of: content), wrong) == nil)
        #expect(try fixture.get(content) == content)
    }

    /// Uploads of damaged content race its scrub: each payload reads whole afterwards.
    @Test func `Uploads and scrubs of the same content at once serve no wrong byte`() throws {
        let fixture = fixture
        let content = content
        let key = try fixture.key(content)
        for round in 0..<20 {
            try fixture.harm(content)
            try atOnce { group in
                group.addTask { _ = try fixture.store.scrub { _ in } }
                group.addTask {
                    try fixture.put(content, namespace: "racing")
                    #expect(try fixture.get(content, namespace: "racing") == content)
                }
            }
            let payload = try #require(try fixture.store.open(key))
            try payload.check(key.digest)
            #expect(try fixture.get(content, namespace: "racing") == content)
            #expect(try fixture.quarantined().count == round + 1)
        }
    }
}
