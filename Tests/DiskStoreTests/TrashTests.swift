import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import PayloadStore

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

    private func inode(_ path: String) -> UInt64? {
        fixture.status(path)?.inode
    }

    @Test func `A store has no trash until something is deleted into it, and older stores go on working`() throws {
        try fixture.put(content)
        #expect(fixture.status(fixture.file("trash")) == nil)
        #expect(try trashed().isEmpty)
        #expect(try fixture.store.moveToTrash(fixture.key(content)))
        #expect(fixture.status(fixture.file("trash")) != nil)
        #expect(try fixture.store.strayFiles().isEmpty)
        _ = try PayloadStore(path: fixture.path, logger: fixture.log.logger)
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
        #expect(found.first.flatMap { inode(fixture.file($0.stored.path)) } == inode(fixture.objectPath(content)))
        #expect(found.first?.stored.sharers == 2, "the other key, and the one in the trash")
        #expect(try fixture.store.collectObjects().count == 0)
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
        #expect(try fixture.store.collectObjects().count == 0)
        try fixture.put(content, namespace: "other")
        #expect(try fixture.store.delete(fixture.key(content, namespace: "other")))
        #expect(fixture.status(fixture.objectPath(content)) != nil)
        #expect(try fixture.store.purge(#require(trashed().first)))
        #expect(fixture.status(fixture.objectPath(content)) == nil)
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
        #expect(fixture.status(fixture.objectPath(content))?.links == 2)
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
            // The other key keeps the file, so what is stored again is the same one.
            #expect(try fixture.store.moveToTrash(key, now: noon))
            #expect(try fixture.get(content) == nil, "rename(2) would have left it there")
            #expect(try trashed().count == 1)
            try fixture.put(content)
        }
        #expect(try fixture.store.moveToTrash(key, now: noon))
        // Now as another file.
        #expect(try fixture.store.delete(fixture.key(content, namespace: "other")))
        unlink(fixture.objectPath(content))
        try fixture.put(content)
        let newer = inode(fixture.objectPath(content))
        #expect(try fixture.store.moveToTrash(key, now: noon))
        #expect(try fixture.get(content) == nil)
        #expect(try trashed().map { inode(fixture.file($0.stored.path)) } == [newer])
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
        #expect(stored.sharers == 1)
        #expect(inode(try fixture.keyPath(content)) == inode(fixture.objectPath(content)))
        #expect(try trashed().isEmpty)
    }

    @Test func `An undeleted key has an object and an age, also where the object was lost`() throws {
        try fixture.put(content)
        fixture.setAge(try fixture.keyPath(content), seconds: 100 * 86_400)
        try fixture.store.moveToTrash(fixture.key(content))
        unlink(fixture.objectPath(content))
        #expect(try fixture.store.undelete(#require(trashed().first)) == .undeleted)
        #expect(try fixture.get(content) == content)
        #expect(inode(try fixture.keyPath(content)) == inode(fixture.objectPath(content)))
        #expect(try #require(try fixture.store.find(fixture.key(content))).lastStored >= time(nil) - 3600)
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

    @Test func `Damaged content is not given back, and stays in the trash`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        let trashed = try #require(trashed().first)
        let path = fixture.file(trashed.stored.path)
        chmod(path, 0o640)
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.write(contentsOf: [content[0] ^ 1])
        try file.close()
        let error = #expect(throws: StoreError.self) { try fixture.store.undelete(trashed) }
        #expect(error?.code == .damaged && error?.description.contains(trashed.stored.path) == true)
        #expect(try fixture.get(content) == nil)
        #expect(try self.trashed().count == 1)
    }

    /// Flips a bit of a file, which is another one then than its other names lead to.
    private func harmCopy(_ path: String, of content: [UInt8]) throws {
        var wrong = content
        wrong[wrong.count / 2] ^= 1
        unlink(path)
        try write(wrong, to: path)
        chmod(path, 0o440)
    }

    private func quarantined() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: fixture.file("quarantine"))
    }

    @Test(arguments: [true, false])
    func `A key whose file in the trash is damaged gets the content of its object`(canBeRead: Bool) throws {
        try fixture.put(content)
        try fixture.put(content, namespace: "other")
        fixture.setAge(fixture.objectPath(content), seconds: 100 * 86_400)
        try fixture.store.moveToTrash(fixture.key(content))
        let trashed = try #require(trashed().first)
        try harmCopy(fixture.file(trashed.stored.path), of: canBeRead ? content : [1])
        #expect(try fixture.store.undelete(trashed) == .undeleted)
        #expect(try fixture.get(content) == content)
        #expect(inode(try fixture.keyPath(content)) == inode(fixture.objectPath(content)))
        #expect(try #require(try fixture.store.find(fixture.key(content))).lastStored >= time(nil) - 3600)
        #expect(try self.trashed().isEmpty)
        #expect(try quarantined().count == 1, "the damaged file is kept")
        #expect(fixture.log.text.contains("gets the content of its object"))
    }

    @Test func `A damaged key in the trash stays there when its object is damaged, too`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        let trashed = try #require(trashed().first)
        for path in [fixture.file(trashed.stored.path), fixture.objectPath(content)] {
            try harmCopy(path, of: content)
        }
        #expect(throws: StoreError.self) { try fixture.store.undelete(trashed) }
        #expect(try self.trashed().count == 1)
        try fixture.put(content, namespace: "other")
        _ = try fixture.store.scrub { _ in }
        try fixture.put(content, namespace: "other")
        #expect(try fixture.store.undelete(trashed) == .undeleted, "an upload has brought the content back")
    }

    @Test func `An undeletion does not trust an object of the right size, and every key of it is whole afterwards`()
        throws
    {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        let object = fixture.objectPath(content)
        try harmCopy(object, of: content)
        try fixture.put(content, namespace: "other")
        #expect(try fixture.get(content, namespace: "other") != content, "an upload does not read what is there")
        #expect(try fixture.store.undelete(#require(trashed().first)) == .undeleted)
        #expect(try fixture.get(content) == content)
        #expect(try fixture.get(content, namespace: "other") == content)
        #expect(try contents(of: object) == content)
        #expect(try trashed().isEmpty)
        #expect(try quarantined().count == 1)
    }

    @Test func `An undeletion does not trust a key of the right size that is there`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        try fixture.put(content)
        try harmCopy(fixture.keyPath(content), of: content)
        #expect(try fixture.store.undelete(#require(trashed().first)) == .existed)
        #expect(try fixture.get(content) == content)
        #expect(try trashed().isEmpty)
        #expect(try fixture.store.scrub { Issue.record("\($0)") }.files == 1)
    }

    @Test func `A key that was stored again as another file is verified, and then needs no undeletion`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        unlink(fixture.objectPath(content))
        try fixture.put(content)
        #expect(try fixture.store.undelete(#require(trashed().first)) == .existed)
        #expect(try fixture.get(content) == content)
        #expect(try trashed().isEmpty)
    }

    @Test func `A scrub that takes damaged content away tells of the keys in the trash that have it`() throws {
        try fixture.put(content)
        try fixture.put(content, namespace: "other")
        try fixture.store.moveToTrash(fixture.key(content))
        chmod(fixture.objectPath(content), 0o600)
        let file = try #require(FileHandle(forUpdatingAtPath: fixture.objectPath(content)))
        try file.write(contentsOf: [content[0] ^ 1])
        try file.close()
        var found: [Finding] = []
        _ = try fixture.store.scrub { found.append($0) }
        #expect(found.count == 1, "once: \(found)")
        #expect(try found.first?.damage?.trashed == [fixture.key(content)])
        #expect(try found.first?.damage?.keys == [fixture.key(content, namespace: "other")])
        #expect(try trashed().count == 1, "the trash still has the key")
        found = []
        _ = try fixture.store.scrub { found.append($0) }
        #expect(try found.map(\.damage?.trashed) == [[fixture.key(content)]], "as long as it is damaged")
        try fixture.put(content, namespace: "other")
        #expect(try fixture.store.undelete(#require(trashed().first)) == .undeleted)
        #expect(try fixture.get(content) == content)
    }

    @Test func `A scrub reads what only the trash has, and gives it the content of its object, when that is right`()
        throws
    {
        let lost = randomPayload(3_000)
        for content in [content, lost] {
            try fixture.put(content)
            try fixture.store.moveToTrash(fixture.key(content), now: noon)
        }
        unlink(fixture.objectPath(lost))
        #expect(try fixture.store.scrub { Issue.record("\($0)") }.files == 2)
        for trashed in try trashed() {
            try harmCopy(
                fixture.file(trashed.stored.path),
                of: trashed.stored.size == 3_000 ? lost : content
            )
        }
        var found: [Finding] = []
        _ = try fixture.store.scrub { found.append($0) }
        #expect(found.map(\.kind) == [.damaged, .damaged])
        #expect(try found.flatMap { $0.damage?.trashed ?? [] } == [fixture.key(lost)], "that of the other is right")
        #expect(try quarantined().count == 1)
        for trashed in try trashed() where trashed.stored.size != 3_000 {
            #expect(inode(fixture.file(trashed.stored.path)) == inode(fixture.objectPath(content)))
            #expect(try fixture.store.undelete(trashed) == .undeleted)
        }
        #expect(try fixture.get(content) == content)
        #expect(files(below: fixture.file("incoming")).isEmpty)
    }

    @Test func `A file that can have no further name is given back as a copy`() throws {
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content))
        let object = fixture.objectPath(content)
        try FileManager.default.createDirectory(atPath: fixture.file("links"), withIntermediateDirectories: false)
        for count in 0..<70_000 where link(object, fixture.file("links/\(count)")) != 0 { break }
        #expect(link(object, fixture.file("links/too-many")) != 0 && errno == EMLINK, "run it on ext4")
        #expect(try fixture.store.undelete(#require(trashed().first)) == .undeleted)
        #expect(try fixture.get(content) == content)
        #expect(try trashed().isEmpty)
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
    @Test func `A storm of deletions, undeletions and uploads loses nothing`() async throws {
        let fixture = fixture
        let contents = (0..<6).map { randomPayload(1000 + $0) }
        for content in contents { try fixture.put(content) }
        try await withThrowingTaskGroup(of: Void.self) { group in
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
                for _ in 0..<60 { _ = try fixture.store.collectObjects() }
            }
            try await group.waitForAll()
        }
        try fixture.store.forEachTrashedKey { _ = try fixture.store.undelete($0) }
        for content in contents {
            #expect(try fixture.get(content) == content)
            #expect(fixture.status(fixture.objectPath(content))?.links == 2)
        }
        #expect(try trashed().isEmpty)
    }
}
