import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite struct TrashTests {
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

    @Test func `Content stays as long as the trash has a key of it`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        #expect(try fixture.sweep().contents == 0)
        try fixture.put(content, namespace: "other")
        #expect(try fixture.store.delete(fixture.key(content, namespace: "other")))
        #expect(try fixture.sweep().contents == 0)
        #expect(try fixture.store.purge(#require(trashed().first)))
        #expect(try fixture.sweep().contents == 1)
        #expect(!fixture.hasObject(content))
        #expect(try trashed().isEmpty)
    }

    @Test func `A purge takes no content that another key has`() throws {
        try fixture.put(content)
        try fixture.put(content, namespace: "other")
        try fixture.store.moveToTrash(fixture.key(content))
        let trashed = try #require(trashed().first)
        #expect(try fixture.store.purge(trashed))
        #expect(try !fixture.store.purge(trashed), "once is enough")
        #expect(try fixture.get(content, namespace: "other") == content)
        #expect(try fixture.sweep().contents == 0)
    }

    @Test func `A key that is wanted by now stays`() throws {
        try fixture.put(content)
        #expect(try !fixture.store.moveToTrash(fixture.key(content), if: { _ in false }))
        #expect(try fixture.get(content) == content)
        #expect(try trashed().isEmpty)
    }

    @Test func `A key that was stored again and deleted again within the hour is in the trash once`() throws {
        try fixture.put(content)
        try fixture.put(content, namespace: "other")
        let key = try fixture.key(content)
        for _ in 0..<3 {
            #expect(try fixture.store.moveToTrash(key, now: noon))
            #expect(try fixture.get(content) == nil)
            #expect(try trashed().count == 1)
            try fixture.put(content)
        }
        fixture.setModified(try fixture.keyPath(content), to: 1_764_073_800)
        #expect(try fixture.store.moveToTrash(key, now: noon))
        #expect(try fixture.get(content) == nil)
        #expect(try trashed().map(\.stored.lastStored) == [1_764_073_800], "the one that was deleted last")
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

    @Test func `A key that was stored again in the meantime needs no undeletion`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        try fixture.put(content)
        #expect(try fixture.store.undelete(#require(trashed().first)) == .existed)
        #expect(try fixture.get(content) == content)
        #expect(try trashed().isEmpty)
    }

    @Test func `What was purged can't be undeleted`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        let trashed = try #require(trashed().first)
        try fixture.store.purge(trashed)
        #expect(try fixture.store.undelete(trashed) == .gone)
        #expect(try fixture.get(content) == nil)
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

    @Test func `An upload over damaged content lets a key of the trash be restored`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        try fixture.harm(content)
        try fixture.put(content, namespace: "other")
        #expect(try fixture.store.undelete(#require(trashed().first)) == .undeleted)
        #expect(try fixture.get(content) == content)
    }

    @Test func `A restored key has the content that an upload has put in its place while it was verified`() throws {
        // Large, so that its verification takes its time.
        let large = randomPayload(20_000_000)
        try fixture.put(large)
        try fixture.store.moveToTrash(fixture.key(large))
        let trashed = try #require(trashed().first)
        let fixture = fixture
        try concurrently(2) { index in
            if index == 0 {
                _ = try? fixture.store.undelete(trashed)
            } else {
                try fixture.harm(large)
                try fixture.put(large, namespace: "other")
            }
        }
        for trashed in try self.trashed() { #expect(try fixture.store.undelete(trashed) == .undeleted) }
        #expect(try fixture.get(large) == large)
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

    /// Whoever deletes, gives back, purges and uploads at once finds each payload whole, and nothing is lost that
    /// nobody has purged.
    @Test func `A storm of deletions, undeletions and uploads loses nothing`() throws {
        let fixture = fixture
        let contents = (0..<6).map { randomPayload(1000 + $0) }
        for content in contents { try fixture.put(content) }
        try atOnce { group in
            group.addTask {
                for _ in 0..<60 { try fixture.store.forEachKey { _ = try fixture.store.moveToTrash($0.key) } }
            }
            for _ in 0..<2 {
                group.addTask {
                    for _ in 0..<60 { try fixture.store.forEachTrashedKey { _ = try fixture.store.undelete($0) } }
                }
            }
            group.addTask {
                for round in 0..<100 { try fixture.put(contents[round % 3]) }
            }
            group.addTask {
                for _ in 0..<20 { try fixture.sweep() }
            }
        }
        try fixture.store.forEachTrashedKey { _ = try fixture.store.undelete($0) }
        for content in contents {
            #expect(try fixture.get(content) == content)
        }
        #expect(try trashed().isEmpty)
    }
}
