import Foundation
import PayloadKey
import Storage
import TestStores
import SystemPackage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct ScrubTests {
    private let disk: TestStore
    private let content = randomPayload(300_000)
    private let sound = randomPayload(1_000)
    private let keys: [PayloadKey]

    init() throws {
        disk = try TestStore()
        keys = try [disk.put(content), disk.put(content, "other", prefix: "p/q")]
        try disk.put(sound)
    }

    private func scrub() throws -> [Damage] {
        var found: [Damage] = []
        _ = try disk.store.scrub { found.append(try #require($0.damage)) }
        return found
    }

    @Test func `A sound object is read once, however many keys name it`() throws {
        for index in 0..<20 { try disk.put(content, "n\(index)", metadata: "\(index)") }
        let read = try disk.store.scrub { Issue.record("\($0)") }
        #expect(read.files == 2 && read.bytes == 301_000)
        #expect(try disk.store.contentToScrub(.everything) == 301_000)
    }

    /// With few random digests, a skipped shard would go unnoticed.
    @Test func `All 256 shards are scrubbed and swept`() throws {
        let disk = try TestStore()
        let digests = try StoreLayout.shards.map { shard in
            try #require(Digest(hex: "\(shard)\(String(repeating: "0", count: 62))".utf8))
        }
        func lay() throws {
            for digest in digests {
                try disk.makeFolder(disk.file("objects/\(digest.shard)"))
                try write([1], to: disk.objectFile(digest))
            }
        }
        try lay()
        #expect(try disk.store.measureUsage().objects == 256)
        #expect(try disk.store.contentToScrub(.everything) == 256)
        var collector = try disk.collector()
        collector.digestsInMemory = 1
        #expect(try collector.sweep().contents == 256)
        try lay()
        var found: [Digest] = []
        let read = try disk.store.scrub { found.append(try #require($0.damage?.digest)) }
        #expect(read.files == 256 && found == digests)
        #expect(files(below: disk.file("objects")).isEmpty)
    }

    @Test(arguments: Harm.allCases)
    func `Damaged content goes to quarantine, and its keys stay but read as never stored`(harm: Harm) throws {
        disk.setModified(disk.keyFile(keys[0]), to: 1_764_073_800)
        try disk.harm(content, harm)
        let found = try scrub()
        #expect(found.map(\.digest) == [Digest(of: content)])
        #expect(Set(found.flatMap(\.keys)) == Set(keys))
        for key in keys { #expect(try disk.get(key) == nil) }
        #expect(try disk.store.find(keys[0])?.lastStored == 1_764_073_800)
        #expect(try disk.get(sound) == sound)
        #expect(try scrub().isEmpty && disk.sweep().contents == 0)
        #expect(
            try found.map(\.quarantine) == disk.quarantined().map { "quarantine/\($0)" },
            "the report names the quarantined files"
        )
    }

    @Test(arguments: [.ioError, nil] as [Errno?])
    func `Only content that a second read confirms as damaged goes to quarantine`(error: Errno?) throws {
        let kernel = TestKernel()
        let disk = try TestStore(kernel: kernel)
        let key = try disk.put(sound)
        kernel.spoilReads(1, error)
        _ = try disk.store.scrub { Issue.record("\($0)") }
        #expect(disk.log.text.contains("damaged at the first read but not at the second"))
        #expect(try disk.get(key) == sound)
        kernel.spoilReads(.max, error)
        var found: [Digest?] = []
        _ = try disk.store.scrub { found.append($0.damage?.digest) }
        #expect(found == [key.digest])
        #expect(try disk.get(key) == nil)
        #expect(try disk.store.find(key) != nil, "the key stays, and an upload can revive it")
    }

    @Test func `Damaged content without keys goes to quarantine`() throws {
        try disk.store.remove(payloadKey(sound))
        try disk.harm(sound)
        let found = try scrub()
        #expect(found.map(\.digest) == [Digest(of: sound)])
        #expect(found.flatMap(\.keys).isEmpty && found.flatMap(\.trashed).isEmpty)
        #expect(!disk.hasObject(sound))
    }

    @Test func `An upload revives the keys of namespaces that are equal or incomplete as Unicode text`() throws {
        let keys =
            try keys + ["\u{301}x", "x\u{600}", "\u{200D}", "\u{E9}", "e\u{301}"].map { try disk.put(content, $0) }
        try disk.harm(content)
        #expect(try scrub().flatMap(\.keys).count == 7)
        try disk.put(content)
        for key in keys { #expect(try disk.get(key) == content) }
    }

    @Test func `Only the object that was read is quarantined, not its replacement`() throws {
        try disk.harm(content)
        let path = StoreLayout.object(Digest(of: content))
        let damaged = try #require(try FileContent(path, below: disk.store.root))
        try disk.put(content)
        #expect(try disk.store.quarantine(Digest(of: content), damaged.identity()) == nil)
        #expect(try disk.get(content) == content)
    }
}
