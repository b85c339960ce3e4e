import Foundation
import PayloadKey
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct ScrubTests {
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

    /// One shard that is left out would not show among few digests.
    @Test func `All 256 shards are scrubbed, and swept`() throws {
        let fixture = try StoreFixture()
        let digests = try (UInt8.min...UInt8.max).map { shard in
            try #require(Digest(hex: "\(StoreLayout.shard(shard))\(String(repeating: "0", count: 62))".utf8))
        }
        func lay() throws {
            for digest in digests {
                let path = fixture.file(StoreLayout.object(digest))
                try FileManager.default.createDirectory(
                    atPath: (path as NSString).deletingLastPathComponent,
                    withIntermediateDirectories: true
                )
                try write([1], to: path)
            }
        }
        try lay()
        #expect(try fixture.store.measureUsage().objects == 256)
        #expect(try fixture.store.contentToScrub(.everything) == 256)
        var collector = try fixture.collector()
        collector.digestsInMemory = 1
        #expect(try collector.sweep().contents == 256)
        try lay()
        var found: [Digest] = []
        let read = try fixture.store.scrub { found.append(try #require($0.damage?.digest)) }
        #expect(read.files == 256 && found == digests)
        #expect(files(below: fixture.file("objects")).isEmpty)
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

    @Test(arguments: [.ioError, nil] as [Errno?])
    func `A read that is wrong once costs no payload, one that stays wrong sends it to quarantine`(error: Errno?) throws
    {
        let kernel = TestKernel()
        let store = try fixture.open(kernel: kernel)
        let small = Array("small".utf8)
        try fixture.put(small)
        try fixture.store.remove(fixture.key(content))
        try fixture.store.remove(fixture.key(content, namespace: "other", prefix: "p/q"))
        try fixture.store.remove(fixture.key(sound))
        try fixture.sweep()
        kernel.spoilReads(1, error)
        _ = try store.scrub { Issue.record("\($0)") }
        #expect(fixture.log.text.contains("wrong at the first look and right at the second one"))
        #expect(try fixture.get(small) == small)
        kernel.spoilReads(.max, error)
        var found: [Digest?] = []
        _ = try store.scrub { found.append($0.damage?.digest) }
        #expect(found == [Digest(of: small)])
        #expect(try fixture.get(small) == nil)
        #expect(try store.find(fixture.key(small)) != nil, "its key stays, for an upload to revive")
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
        try fixture.store.remove(fixture.key(sound))
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
        let damaged = try #require(try FileContent(path, below: fixture.store.root))
        try fixture.put(content)
        #expect(try fixture.store.quarantine(Digest(of: content), damaged.identity()) == nil)
        #expect(try fixture.get(content) == content)
    }
}
