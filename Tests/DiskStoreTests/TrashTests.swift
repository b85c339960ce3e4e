import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct TrashTests {
    private let disk: TestStore
    private let content = randomPayload(10_000)
    /// The middle of an hour.
    private let noon = 1_764_073_800

    init() throws { disk = try TestStore() }

    private func trashFolders() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: disk.file("trash")).sorted()
    }

    @Test func `A key in the trash reads as never stored, and its content is kept`() throws {
        let key = try disk.put(content, "a", prefix: "p/q")
        try disk.put(content, "b")
        #expect(try disk.status(disk.file("trash")) == nil && disk.trashed().isEmpty)
        #expect(try disk.store.moveToTrash(key, now: noon))
        #expect(try disk.get(key) == nil)
        #expect(try disk.get(content, "b") == content)
        let found = try disk.trashed()
        #expect(found.map(\.stored.key) == [key])
        #expect(found.map(\.deleted) == [1_764_075_600], "the end of the hour")
        #expect(found.first?.stored.size == 10_000)
        #expect(try disk.sweep().contents == 0)
        #expect(try !disk.store.moveToTrash(key), "it is already in the trash")
        #expect(try disk.strayFiles().isEmpty)
        _ = try disk.open()
    }

    @Test(arguments: namespacesThatMeltIntoSlashes)
    func `Keys of any namespace can be moved to the trash and restored`(namespace: String) throws {
        let key = try disk.put(content, namespace)
        #expect(try disk.store.moveToTrash(key, now: noon))
        try disk.store.removeEmptyFolders()
        #expect(try FileManager.default.contentsOfDirectory(atPath: disk.file("keys")).isEmpty)
        #expect(try disk.get(key) == nil)
        #expect(try disk.store.undelete(disk.trashed()[0]) == .undeleted)
        #expect(try disk.get(key) == content)
        try disk.store.removeEmptyTrash { _ in true }
        #expect(try trashFolders().isEmpty)
    }

    @Test func `The last deleted key is listed first`() throws {
        for (index, namespace) in ["a", "b", "a"].enumerated() {
            try disk.store.moveToTrash(disk.put(content, namespace, prefix: "p\(index)"), now: noon + index * 7200)
        }
        #expect(try disk.trashed().map(\.stored.key.prefix?.description) == ["p2", "p1", "p0"])
        #expect(try disk.store.trashed(payloadKey(content, "b", prefix: "p1")).count == 1)
        #expect(try disk.store.trashed(payloadKey(content, "a", prefix: "p1")).isEmpty)
    }

    @Test func `A restored key has the age of a key that was just stored`() throws {
        let key = try disk.put(content, days: 100)
        try disk.store.moveToTrash(key)
        #expect(try disk.store.undelete(disk.trashed()[0]) == .undeleted)
        #expect(try disk.get(key) == content)
        #expect(try #require(try disk.store.find(key)).lastStored >= time(nil) - 3600)
        #expect(try disk.trashed().isEmpty)
    }

    @Test(arguments: Harm.allCases)
    func `A key with damaged content is not restored and stays in the trash`(harm: Harm) throws {
        try disk.store.moveToTrash(disk.put(content))
        let trashed = try disk.trashed()[0]
        try disk.harm(content, harm)
        let error = #expect(throws: StoreError.self) { try disk.store.undelete(trashed) }
        #expect(error?.code == .damaged)
        #expect(error?.description.contains(StoreLayout.object(Digest(of: content))) == true)
        #expect(try disk.get(content) == nil)
        #expect(try disk.trashed().count == 1)
    }

    @Test func `A key with quarantined content is reported, and stays in the trash until an upload`() throws {
        let (key, other) = (try disk.put(content), try disk.put(content, "other"))
        try disk.store.moveToTrash(key)
        try disk.harm(content)
        var found: [Finding] = []
        _ = try disk.store.scrub { found.append($0) }
        #expect(found.count == 1, "once: \(found)")
        #expect(found.first?.damage?.trashed == [key] && found.first?.damage?.keys == [other])
        let trashed = try disk.trashed()[0]
        #expect(trashed.stored.size == nil)
        let error = #expect(throws: StoreError.self) { try disk.store.undelete(trashed) }
        #expect(error?.code == .damaged && error?.description.contains("is lost") == true)
        try disk.put(content, "other")
        #expect(try disk.store.undelete(trashed) == .undeleted)
        #expect(try disk.get(key) == content)
    }

    @Test func `Folders of the trash are removed once they are empty and expired`() throws {
        for index in 0..<3 { try disk.store.moveToTrash(disk.put([UInt8(index)]), now: noon + index * 3600) }
        for trashed in try disk.trashed().dropFirst() { try disk.store.purge(trashed) }
        try disk.store.removeEmptyTrash { $0 > 1_764_075_600 }
        #expect(try trashFolders() == ["1764075600", "1764082800"], "one has not expired, the other is not empty")
    }

    @Test func `Stray files in the trash are ignored`() throws {
        let key = try disk.put(content)
        try disk.store.moveToTrash(key, now: noon)
        for name in [
            "1764075600x", "-1", "+1764075600", "01764075600", "9223372036854775807", "1099511627776", "x\u{301}",
        ] {
            try FileManager.default.copyItem(
                atPath: disk.file("trash/1764075600"),
                toPath: disk.file("trash/\(name)")
            )
        }
        for path in ["trash/7", "trash/1764075600/note"] { try write([1], to: disk.file(path)) }
        #expect(try disk.trashed().map(\.deleted) == [1_764_075_600])
        #expect(try disk.store.trashed(key).count == 1)
    }
}
