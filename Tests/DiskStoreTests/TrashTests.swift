import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct TrashTests {
    private let fixture: StoreFixture
    private let content = randomPayload(10_000)
    /// The middle of an hour.
    private let noon = 1_764_073_800

    init() throws {
        fixture = try StoreFixture()
    }

    private func trashed(_ selection: KeySelection = KeySelection()) throws -> [TrashedKey] {
        var found: [TrashedKey] = []
        try fixture.store.forEachTrashedKey(in: selection) { found.append($0) }
        return found
    }

    @Test func `A store has no trash until something is deleted into it`() throws {
        try fixture.put(content)
        #expect(fixture.status(fixture.file("trash")) == nil)
        #expect(try trashed().isEmpty)
        #expect(try fixture.store.moveToTrash(fixture.key(content)))
        #expect(fixture.status(fixture.file("trash")) != nil)
        #expect(try fixture.store.strayFiles().isEmpty)
        _ = try DiskStore(path: fixture.path, logger: fixture.log.logger)
    }

    @Test func `A key in the trash answers as never stored, and keeps its content`() throws {
        try fixture.put(content, namespace: "a", prefix: "p/q")
        try fixture.put(content, namespace: "b")
        let key = try fixture.key(content, namespace: "a", prefix: "p/q")
        #expect(try fixture.store.moveToTrash(key, now: noon))
        #expect(try fixture.get(content, namespace: "a", prefix: "p/q") == nil)
        #expect(try fixture.get(content, namespace: "b") == content)
        let found = try trashed()
        #expect(found.map(\.stored.key) == [key])
        #expect(found.map(\.deleted) == [1_764_075_600], "the end of the hour")
        #expect(found.first?.stored.size == 10_000)
        #expect(try fixture.sweep().contents == 0)
        #expect(try !fixture.store.moveToTrash(key), "it is gone")
    }

    @Test(arguments: namespacesThatMeltIntoSlashes)
    func `Any namespace is kept in the trash, and given back`(namespace: String) throws {
        try fixture.put(content, namespace: namespace)
        #expect(try fixture.store.moveToTrash(fixture.key(content, namespace: namespace), now: noon))
        try fixture.store.removeEmptyFolders()
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.file("keys")).isEmpty)
        #expect(try fixture.get(content, namespace: namespace) == nil)
        #expect(try fixture.store.undelete(#require(trashed().first)) == .undeleted)
        #expect(try fixture.get(content, namespace: namespace) == content)
        try fixture.store.removeEmptyTrash { _ in true }
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.file("trash")).isEmpty)
    }

    @Test func `What was deleted last comes first, and a selection has its own keys only`() throws {
        for (index, namespace) in ["a", "b", "a"].enumerated() {
            try fixture.put(content, namespace: namespace, prefix: "p\(index)")
            let key = try fixture.key(content, namespace: namespace, prefix: "p\(index)")
            try fixture.store.moveToTrash(key, now: noon + index * 7200)
        }
        #expect(try trashed().map(\.stored.key.prefix?.description) == ["p2", "p1", "p0"])
        let a = try Namespace(validating: "a".utf8)
        #expect(try trashed(KeySelection(namespace: a)).count == 2)
        #expect(try trashed(KeySelection(prefix: KeyPrefix(validating: "p1".utf8))).count == 1)
        #expect(try fixture.store.trashed(fixture.key(content, namespace: "b", prefix: "p1")).count == 1)
        #expect(try fixture.store.trashed(fixture.key(content, namespace: "a", prefix: "p1")).isEmpty)
    }

    @Test func `An undeleted key is there as if it had just been stored`() throws {
        try fixture.put(content)
        fixture.setAge(try fixture.keyPath(content), seconds: 100 * 86_400)
        try fixture.store.moveToTrash(fixture.key(content))
        #expect(try fixture.store.undelete(#require(trashed().first)) == .undeleted)
        #expect(try fixture.get(content) == content)
        let stored = try #require(try fixture.store.find(fixture.key(content)))
        #expect(stored.lastStored >= time(nil) - 3600)
        #expect(try trashed().isEmpty)
    }

    @Test(arguments: Harm.allCases)
    func `Damaged content is not given back, and its key stays in the trash`(harm: Harm) throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        let trashed = try #require(trashed().first)
        try fixture.harm(content, harm)
        let error = #expect(throws: StoreError.self) { try fixture.store.undelete(trashed) }
        #expect(error?.code == .damaged)
        #expect(error?.description.contains(StoreLayout.object(Digest(of: content))) == true)
        #expect(try fixture.get(content) == nil)
        #expect(try self.trashed().count == 1)
    }

    @Test func `A key whose content is lost stays in the trash until the payload is uploaded again`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        try fixture.harm(content)
        _ = try fixture.store.scrub { _ in }
        let trashed = try #require(trashed().first)
        #expect(trashed.stored.size == nil)
        let error = #expect(throws: StoreError.self) { try fixture.store.undelete(trashed) }
        #expect(error?.code == .damaged && error?.description.contains("is lost") == true)
        try fixture.put(content, namespace: "other")
        #expect(try fixture.store.undelete(trashed) == .undeleted)
        #expect(try fixture.get(content) == content)
    }

    @Test func `A scrub that takes damaged content away tells of the keys in the trash that have it`() throws {
        try fixture.put(content)
        try fixture.put(content, namespace: "other")
        try fixture.store.moveToTrash(fixture.key(content))
        try fixture.harm(content)
        var found: [Finding] = []
        _ = try fixture.store.scrub { found.append($0) }
        #expect(found.count == 1, "once: \(found)")
        #expect(try found.first?.damage?.trashed == [fixture.key(content)])
        #expect(try found.first?.damage?.keys == [fixture.key(content, namespace: "other")])
        #expect(try trashed().count == 1, "the trash still has the key")
        try fixture.put(content, namespace: "other")
        #expect(try fixture.store.undelete(#require(trashed().first)) == .undeleted)
        #expect(try fixture.get(content) == content)
    }

    @Test func `Folders of the trash go when they are empty and their time is over`() throws {
        for (index, text) in ["one", "two", "three"].enumerated() {
            try fixture.put(Array(text.utf8))
            try fixture.store.moveToTrash(fixture.key(Array(text.utf8)), now: noon + index * 3600)
        }
        let all = try trashed()
        for trashed in all.dropFirst() { try fixture.store.purge(trashed) }
        try fixture.store.removeEmptyTrash { $0 > 1_764_075_600 }
        let left = try FileManager.default.contentsOfDirectory(atPath: fixture.file("trash")).sorted()
        #expect(left == ["1764075600", "1764082800"], "one is not over, the other not empty")
    }

    @Test func `Files that are not the trash's are passed over`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content), now: noon)
        for name in [
            "1764075600x", "-1", "+1764075600", "01764075600", "9223372036854775807", "1099511627776", "x\u{301}",
        ] {
            try FileManager.default.copyItem(
                atPath: fixture.file("trash/1764075600"),
                toPath: fixture.file("trash/\(name)")
            )
        }
        try write([1], to: fixture.file("trash/7"))
        try write([1], to: fixture.file("trash/1764075600/note"))
        #expect(try trashed().map(\.deleted) == [1_764_075_600])
        #expect(try fixture.store.trashed(fixture.key(content)).count == 1)
    }
}
