import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

/// The contract of every store (``PayloadStorage``).
@Suite(.runLimit) struct StorageConformanceTests {
    private let folder: TemporaryFolder
    private let content = randomPayload(70_000)

    init() throws { folder = try TemporaryFolder() }

    private func scrub(_ store: any PayloadStorage, pace: (Int) -> Void = { _ in }) throws -> (Scrubbed, [Finding]) {
        var findings: [Finding] = []
        let read = try store.scrub(.everything, pace: pace) { findings.append($0) }
        return (read, findings)
    }

    // MARK: Commit and read

    @Test(arguments: StoreKind.all)
    func `A committed payload can be read whole and in parts, and no other key exists`(
        kind: StoreKind
    ) throws {
        let store = try kind.make(in: folder).storage
        let key = try payloadKey(content)
        #expect(try store.open(key) == nil && store.locate(key, until: nil) == nil && store.find(key) == nil)
        #expect(try store.put(content, as: key) == .created)
        #expect(try store.get(key) == content)
        #expect(try store.locate(key, until: nil)?.size == 70_000)
        let payload = try #require(try store.open(key))
        for range in [0..<1, 65_530..<65_550, 69_999..<70_000] {
            var part: [UInt8] = []
            try payload.read(UInt64(range.lowerBound)..<UInt64(range.upperBound)) { part += $0 }
            #expect(part == Array(content[range]))
        }
        #expect(try store.get(payloadKey(content, "other")) == nil, "another namespace")
        #expect(try store.get(payloadKey(content, prefix: "p")) == nil, "another prefix")
        #expect(try store.get(payloadKey(content, metadata: "m")) == nil, "other metadata")
    }

    @Test(arguments: StoreKind.all)
    func `Storing a payload again finds it, and storing it under another key creates that key`(kind: StoreKind) throws {
        let store = try kind.make(in: folder).storage
        let first = try payloadKey(content)
        try store.put(content, as: first)
        #expect(try store.put(content, as: first) == .existed)
        for other in try [
            payloadKey(content, "other"), payloadKey(content, prefix: "p/q"), payloadKey(content, metadata: "m"),
        ] {
            #expect([.created, .linked].contains(try store.put(content, as: other)))
            #expect(try store.get(other) == content)
        }
    }

    @Test(arguments: StoreKind.all)
    func `An empty payload can be stored`(kind: StoreKind) throws {
        let store = try kind.make(in: folder).storage
        let key = try payloadKey([])
        #expect(try store.put([], as: key) == .created)
        #expect(try store.get(key) == [] && store.find(key)?.size == 0)
    }

    @Test(arguments: StoreKind.all)
    func `A key's metadata describes what was stored`(kind: StoreKind) throws {
        let store = try kind.make(in: folder).storage
        let key = try payloadKey(content, "ns", prefix: "a/b")
        let before = time(nil)
        try store.put(content, as: key)
        let stored = try #require(try store.find(key))
        #expect(stored.key == key && stored.size == 70_000 && stored.diskUsage >= 70_000)
        #expect((before - 1...time(nil) + 1).contains(stored.lastStored))
        try store.forEachKey { #expect($0.key == key && $0.size == 70_000 && $0.lastStored == stored.lastStored) }
    }

    @Test(arguments: StoreKind.all, [70_000, 2 << 20])
    func `Of concurrent uploads of one payload through two processes, exactly one creates it`(
        kind: StoreKind,
        size: Int
    ) throws {
        let made = try kind.make(in: folder)
        let stores = [made.storage, try made.another()]
        let content = randomPayload(size)
        let key = try payloadKey(content)
        let new = Counter()
        try concurrently(6) { index in
            if try stores[index % 2].put(content, as: key) != .existed { new.add() }
        }
        #expect(new.value == 1)
        for store in stores { #expect(try store.get(key) == content) }
    }

    @Test(arguments: StoreKind.all, [false, true])
    func `An upload and a retry that overtakes it do not interfere, even if the upload breaks off`(
        kind: StoreKind,
        isBroken: Bool
    ) throws {
        let made = try kind.make(in: folder)
        let (store, other) = (made.storage, try made.another())
        let key = try payloadKey(content)
        let first = try? store.uploads.receive(length: UInt64(content.count), digest: key.digest) { take in
            try content.prefix(40_000).withUnsafeBytes { try take($0) }
            #expect(try other.put(content, as: key) == .created)
            if isBroken { throw CancellationError() }
            try content.dropFirst(40_000).withUnsafeBytes { try take($0) }
        }
        #expect((first == nil) == isBroken)
        if let first { #expect(try store.commit(first, as: key) == .existed) }
        for store in [store, other] { #expect(try store.get(key) == content) }
        #expect(try store.keys() == [key])
    }

    @Test(arguments: StoreKind.all)
    func `Every process sees at once what another stores or deletes`(kind: StoreKind) throws {
        let made = try kind.make(in: folder)
        let (one, other) = (made.storage, try made.another())
        for (storing, serving) in [(one, other), (other, one)] {
            for content in [randomPayload(5_000), randomPayload(1 << 20)] {
                let key = try payloadKey(content)
                #expect(try storing.put(content, as: key) == .created)
                #expect(try serving.get(key) == content)
                #expect(try serving.put(content, as: key) == .existed)
                #expect(try serving.remove(key)?.key == key)
                #expect(try storing.find(key) == nil)
                #expect(try storing.put(content, as: key) != .existed)
            }
        }
    }

    @Test(arguments: StoreKind.all)
    func `A healthy store passes its health and start checks`(kind: StoreKind) throws {
        let store = try kind.make(in: folder).storage
        try store.checkHealth()
        try store.checkStart(waiting: false)
        try store.tidyUp()
        try store.checkQuota(for: 1, as: payloadKey(content))
        #expect(!store.name.isEmpty)
    }

    // MARK: Selections and ages

    @Test(arguments: StoreKind.all)
    func `A selection contains the keys of its namespace whose prefix begins with its parts`(kind: StoreKind) throws {
        let store = try kind.make(in: folder).storage
        let content: [UInt8] = [1]
        let prefixes = [nil, "team", "team/one", "teamwork", "other/team"]
        for namespace in ["a", "ab"] {
            for prefix in prefixes { try store.put(content, as: payloadKey(content, namespace, prefix: prefix)) }
        }
        func selected(_ namespace: String?, _ prefix: String?) throws -> [String] {
            let selection = KeySelection(
                namespace: try namespace.map { try Namespace(validating: $0.utf8) },
                prefix: prefix.flatMap { KeyPrefix(validating: $0.utf8) }
            )
            let found = try store.keys(selection)
            var aged: Set<PayloadKey> = []
            try store.forEachAge(in: selection, where: { _ in true }, unreadable: { throw $1 }) { key, _ in
                aged.insert(key)
            }
            #expect(aged == found)
            return found.map { "\($0.namespace):\($0.prefix?.description ?? "")" }.sorted()
        }
        #expect(try selected(nil, nil).count == 10)
        #expect(try selected("a", nil) == ["a:", "a:other/team", "a:team", "a:team/one", "a:teamwork"])
        #expect(try selected("a", "team") == ["a:team", "a:team/one"])
        #expect(try selected(nil, "team") == ["a:team", "a:team/one", "ab:team", "ab:team/one"])
        #expect(try selected("b", nil).isEmpty)
    }

    @Test(arguments: StoreKind.all)
    func `Ages are listed only for the requested namespaces`(kind: StoreKind) throws {
        let store = try kind.make(in: folder).storage
        for namespace in ["a", "b"] { try store.put([1], as: payloadKey([1], namespace)) }
        var asked: Set<String> = []
        var found: [String] = []
        try store.forEachAge(
            in: KeySelection(),
            where: {
                asked.insert("\($0)")
                return "\($0)" == "b"
            },
            unreadable: { throw $1 }
        ) { key, _ in found.append("\(key.namespace)") }
        #expect(asked == ["a", "b"] && found == ["b"])
    }

    @Test(arguments: StoreKind.all.filter { $0 != .s3 })
    func `Storing a payload again renews its age`(kind: StoreKind) throws {
        let made = try kind.make(in: folder)
        let key = try payloadKey(content)
        try made.storage.put(content, as: key)
        try made.makeOld?(key, 86_400 * 40)
        let old = try #require(try made.storage.find(key)).lastStored
        #expect(old < time(nil) - 86_400 * 39)
        try made.storage.put(content, as: key)
        #expect(try #require(try made.storage.find(key)).lastStored >= time(nil) - 5)
    }

    // MARK: Removal

    @Test(arguments: StoreKind.all)
    func `A deleted key is gone, and other keys of its content stay`(kind: StoreKind) throws {
        let store = try kind.make(in: folder).storage
        let (key, other) = (try payloadKey(content), try payloadKey(content, "other"))
        for key in [key, other] { try store.put(content, as: key) }
        #expect(try store.remove(key)?.key == key)
        #expect(try store.open(key) == nil && store.find(key) == nil)
        #expect(try store.get(other) == content)
        #expect(try store.remove(key) == nil, "it is already deleted")
        #expect(try store.put(content, as: key) != .existed)
        #expect(try store.get(key) == content)
    }

    @Test(arguments: StoreKind.all, [true, false])
    func `A key is deleted only if its current age meets the condition`(kind: StoreKind, isDurable: Bool)
        throws
    {
        let store = try kind.make(in: folder).storage
        let key = try payloadKey(content)
        try store.put(content, as: key)
        var asked: [Int] = []
        let kept = try store.remove(key, isDurable: isDurable) { lastStored in
            asked.append(lastStored)
            return false
        }
        #expect(kept == nil)
        #expect(asked == [try #require(try store.find(key)).lastStored])
        #expect(try store.get(key) == content)
        #expect(try store.remove(key, isDurable: isDurable) { $0 == asked[0] }?.size == 70_000)
    }

    // MARK: Damage

    @Test(arguments: StoreKind.all)
    func `A scrub reads everything and finds nothing wrong with sound payloads`(kind: StoreKind) throws {
        let store = try kind.make(in: folder).storage
        let contents = (0..<3).map { randomPayload(1_000 * ($0 + 1)) }
        for content in contents { try store.put(content, as: payloadKey(content)) }
        var paced = 0
        let (read, findings) = try scrub(store) { paced += $0 }
        #expect(findings.isEmpty)
        #expect(read.files == 3 && read.bytes == 6_000 && paced == 6_000)
        #expect(try store.contentToScrub(.everything) == 6_000)
    }

    @Test(arguments: StoreKind.all)
    func `A scrub removes damaged content, and the next upload restores it`(kind: StoreKind) throws {
        let made = try kind.make(in: folder)
        let sound = randomPayload(500)
        let (key, other) = (try payloadKey(content), try payloadKey(sound))
        try made.storage.put(content, as: key)
        try made.storage.put(sound, as: other)
        var rotten = content
        rotten[35_000] ^= 1
        try made.replace(key, rotten)
        let findings = try scrub(made.storage).1
        #expect(findings.map(\.kind) == [.damaged])
        #expect(findings.first?.damage?.keys == [key])
        #expect(try made.storage.get(key) == nil, "wrong bytes are never served")
        #expect(try made.storage.get(other) == sound)
        try made.storage.put(content, as: key)
        #expect(try made.storage.get(key) == content)
        #expect(try scrub(made.storage).1.isEmpty)
    }

    @Test(arguments: StoreKind.all)
    func `A scrub leaves content alone that an upload repairs while it is read`(kind: StoreKind) throws {
        let made = try kind.make(in: folder)
        let key = try payloadKey(content)
        try made.storage.put(content, as: key)
        try made.replace(key, [1, 2, 3])
        var isHealed = false
        let findings = try scrub(made.storage) { _ in
            guard !isHealed else { return }
            isHealed = true
            #expect(throws: Never.self) {
                try made.storage is MemoryStore ? made.replace(key, content) : heal(key, made)
            }
        }.1
        #expect(findings.allSatisfy { $0.damage?.quarantine == nil }, "\(findings)")
        #expect(try made.storage.get(key) == content)
    }

    private func heal(_ key: PayloadKey, _ made: StoreUnderTest) throws {
        try made.storage.put(content, as: key)
    }

    @Test(arguments: StoreKind.all)
    func `An upload replaces content of another size`(kind: StoreKind) throws {
        let made = try kind.make(in: folder)
        let key = try payloadKey(content)
        try made.storage.put(content, as: key)
        try made.replace(key, [1, 2, 3])
        try made.storage.put(content, as: key)
        #expect(try made.storage.get(key) == content)
    }

    // MARK: Uploads

    @Test(arguments: StoreKind.all)
    func `An upload with a wrong length or digest can't be committed`(kind: StoreKind) throws {
        let store = try kind.make(in: folder).storage
        func receive(_ bytes: [UInt8], length: UInt64, digest: Digest) throws {
            _ = try store.uploads.receive(length: length, digest: digest) { take in
                try bytes.withUnsafeBytes { try take($0) }
            }
        }
        #expect(throws: UploadMismatch.self) { try receive([1, 2], length: 2, digest: Digest(of: [1, 3])) }
        #expect(throws: UploadMismatch.self) { try receive([1, 2], length: 3, digest: Digest(of: [1, 2])) }
        #expect(throws: UploadMismatch.self) { try receive([1, 2], length: 1, digest: Digest(of: [1, 2])) }
        #expect(try store.keys().isEmpty)
    }
}
