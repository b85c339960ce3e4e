import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import PayloadStore

@Suite struct ScrubTests {
    private let fixture: StoreFixture
    private let content = randomPayload(300_000)
    private let sound = randomPayload(1_000)

    /// What happens to content on a disk.
    enum Harm: String, CaseIterable {
        case flippedBit = "a flipped bit"
        case truncation = "its end is missing"
        case emptiness = "it is empty"
        case growth = "it has more than it should"
    }

    init() throws {
        fixture = try StoreFixture()
        try fixture.put(content)
        try fixture.put(content, namespace: "other", prefix: "p/q")
        try fixture.put(sound)
    }

    private func harm(_ path: String, _ harm: Harm) throws {
        chmod(path, 0o600)
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        switch harm {
        case .flippedBit:
            try file.seek(toOffset: 200_000)
            try file.write(contentsOf: [content[200_000] ^ 0x10])
        case .truncation: try file.truncate(atOffset: 299_999)
        case .emptiness: try file.truncate(atOffset: 0)
        case .growth:
            try file.seekToEnd()
            try file.write(contentsOf: [0])
        }
        try file.close()
        chmod(path, 0o440)
    }

    private func scrub() throws -> [Damage] {
        var found: [Damage] = []
        _ = try fixture.store.scrub { found.append(try #require($0.damage)) }
        return found
    }

    private func quarantined() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: fixture.file("quarantine")).filter {
            !$0.hasSuffix(".keys")
        }.count
    }

    @Test func `A sound store is read once, and nothing is found`() throws {
        var paced = 0
        let read = try fixture.store.scrub(pace: { paced += $0 }) { Issue.record("\($0)") }
        #expect(read.files == 2)
        #expect(read.bytes == 301_000)
        #expect(paced == 301_000)
        #expect(try fixture.get(content) == content)
    }

    @Test(arguments: Harm.allCases)
    func `Damaged content goes to quarantine, and all its keys answer as never stored`(harm: Harm) throws {
        try self.harm(fixture.objectPath(content), harm)
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
        #expect(try quarantined() == 1)
        #expect(try scrub().isEmpty, "once is enough")
    }

    @Test(arguments: Harm.allCases)
    func `An upload of the same payload heals all keys that lost it`(harm: Harm) throws {
        try self.harm(fixture.objectPath(content), harm)
        _ = try scrub()
        #expect(try fixture.put(content, namespace: "third") == .created)
        for (namespace, prefix) in [("ns", nil), ("other", "p/q"), ("third", nil)] {
            #expect(try fixture.get(content, namespace: namespace, prefix: prefix) == content)
        }
        #expect(fixture.status(fixture.objectPath(content))?.links == 4, "one content, three keys")
        #expect(try quarantined() == 1, "the damaged content is kept for who wants to look at it")
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.file("quarantine")).count == 1)
        #expect(fixture.log.text.contains("healed"))
        #expect(try scrub().isEmpty)
    }

    @Test func `A key whose object has lost its name is read, too`() throws {
        unlink(fixture.objectPath(content))
        #expect(try scrub().isEmpty)
        #expect(try fixture.get(content) == content)
        try harm(fixture.keyPath(content), .flippedBit)
        let found = try scrub()
        #expect(found.flatMap(\.keys).count == 2)
        #expect(try fixture.get(content) == nil)
        try fixture.put(content)
        #expect(try fixture.get(content, namespace: "other", prefix: "p/q") == content)
    }

    @Test func `A damaged key whose object is right gets that content, and no key is lost`() throws {
        // As when an object had as many links as the file system allows, and the file of before lives on under its keys.
        let key = try fixture.keyPath(content)
        unlink(key)
        try write(content, to: key)
        try harm(key, .flippedBit)
        let found = try scrub()
        #expect(found.map(\.digest) == [Digest(of: content)])
        #expect(found.flatMap(\.keys).isEmpty)
        #expect(try fixture.get(content) == content)
        #expect(fixture.status(key)?.links == 3)
        #expect(try quarantined() == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.file("quarantine")).count == 1)
        #expect(try scrub().isEmpty)
    }

    @Test func `A damaged key whose object is damaged, too, is lost`() throws {
        let key = try fixture.keyPath(content)
        unlink(key)
        try write(content, to: key)
        for path in [key, fixture.objectPath(content)] { try harm(path, .flippedBit) }
        #expect(try scrub().flatMap(\.keys).count == 2)
        #expect(try fixture.get(content) == nil)
        #expect(try fixture.get(content, namespace: "other", prefix: "p/q") == nil)
    }

    @Test func `A scrub that was killed halfway is finished by the next one`() throws {
        // As after a kill between the move of the object and that of its keys.
        try harm(fixture.objectPath(content), .flippedBit)
        rename(fixture.objectPath(content), fixture.file("quarantine/left"))
        let found = try scrub()
        #expect(found.flatMap(\.keys).count == 2)
        #expect(try fixture.get(content) == nil)
    }

    @Test(arguments: [["\u{301}x", "x\u{600}", "\u{200D}"], ["\u{E9}", "e\u{301}"]])
    func `Keys of namespaces that are no text for comparing are healed, each of them`(namespaces: [String]) throws {
        for namespace in namespaces { try fixture.put(content, namespace: namespace) }
        try harm(fixture.objectPath(content), .flippedBit)
        #expect(try scrub().flatMap(\.keys).count == 2 + namespaces.count)
        try fixture.put(content)
        for namespace in namespaces { #expect(try fixture.get(content, namespace: namespace) == content) }
        #expect(try fixture.get(content, namespace: "other", prefix: "p/q") == content)
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.file("quarantine")).count == 1)
    }

    @Test func `The list of lost keys can lead nowhere else, and what it can't mean is kept`() throws {
        let digest = Digest(of: content)
        let name = StoreLayout.keyName(try fixture.key(content))
        let lines = [
            "keys/../../etc/\(digest.shard)/\(name)", "/keys/ns/common/\(digest.shard)/\(name)",
            "objects/ns/common/\(digest.shard)/\(name)", "keys/ns/common/\(digest.shard)/other", "keys",
            "keys/ns/common/\(digest.shard)/\(name.dropLast())", "keys/ns/custom/../\(digest.shard)/\(name)",
            "keys/ns/custom/\(digest.shard)/\(name)", "keys/ns/common/p/\(digest.shard)/\(name)",
        ]
        let key = "keys/ns/common/\(digest.shard)/\(name)"
        let list = fixture.file(StoreLayout.quarantined(digest, "keys"))
        let text = Array((lines + ["", key, "", key]).joined(separator: "\n").utf8)
        try write(text, to: list)
        let lost = try LostKeys(digest, fixture.store.root).read()
        #expect(lost.keys == [try fixture.key(content)])
        #expect(lost.unknown == lines.map { Array($0.utf8) })
        unlink(fixture.file(key))
        try fixture.put(content, namespace: "third")
        #expect(try fixture.get(content) == content)
        #expect(fixture.status(list) == nil, "the next upload need not read it again")
        let kept = try FileManager.default.contentsOfDirectory(atPath: fixture.file("quarantine"))
        #expect(try kept.map { try contents(of: fixture.file("quarantine/\($0)")) } == [text])
        #expect(fixture.log.text.contains("lines that name none"))
    }

    @Test func `A key that can't be healed keeps no other from it, and stays on the list`() throws {
        try harm(fixture.objectPath(content), .flippedBit)
        #expect(try scrub().flatMap(\.keys).count == 2)
        let other = fixture.file("keys/other")
        try FileManager.default.removeItem(atPath: other)
        try write([], to: other)
        try fixture.put(content, namespace: "third")
        #expect(try fixture.get(content) == content)
        #expect(fixture.log.text.contains("is not healed yet"))
        unlink(other)
        try fixture.put(content, namespace: "third")
        #expect(try fixture.get(content, namespace: "other", prefix: "p/q") == content)
    }

    @Test func `A key that can't be healed while its namespace is counted is no error, and is healed later`() throws {
        let other = try Namespace(validating: "other".utf8)
        _ = try fixture.store.recount(other)
        try harm(fixture.objectPath(content), .flippedBit)
        #expect(try scrub().flatMap(\.keys).count == 2)
        // As another process has it that counts.
        #expect(truncate(fixture.file("usage/namespaces/other"), 0) == 0)
        let lock = open(fixture.file("usage/counting/other"), O_RDWR | O_CLOEXEC)
        #expect(flock(lock, LOCK_EX) == 0)
        try fixture.put(content, namespace: "third")
        let lines = fixture.log.lines.filter { $0.contains("is not healed yet") }
        #expect(lines.count == 1 && lines.allSatisfy { $0.hasPrefix("notice") })
        #expect(try fixture.get(content) == content)
        flock(lock, LOCK_UN)
        close(lock)
        try fixture.put(content, namespace: "third")
        #expect(try fixture.get(content, namespace: "other", prefix: "p/q") == content)
    }

    /// Uploads of damaged content race its scrub: each payload reads whole afterwards, or not at all.
    @Test func `Uploads and scrubs of the same content at once serve no wrong byte`() async throws {
        let fixture = fixture
        let content = content
        let key = try fixture.key(content)
        for _ in 0..<20 {
            try harm(fixture.objectPath(content), .flippedBit)
            async let scrubbed = fixture.store.scrub { _ in }
            try fixture.put(content, namespace: "racing")
            _ = try await scrubbed
            // The upload may have come first, linked to what was damaged, and lost it.
            try fixture.put(content)
            let payload = try #require(try fixture.store.open(key))
            try payload.check(key.digest)
            #expect(try fixture.get(content, namespace: "racing") == content)
        }
    }
}
