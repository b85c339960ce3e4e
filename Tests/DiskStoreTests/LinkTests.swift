import Foundation
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

/// Links in place of the store's folders.
@Suite(.runLimit) struct LinkTests {
    private let disk: TestStore
    private let content = randomPayload(1000)

    init() throws { disk = try TestStore() }

    @Test(arguments: ["keys", "keys/ns", "keys/ns/common", "shard"])
    func `No operation follows a link in place of a folder of keys`(place: String) throws {
        let key = try disk.put(content)
        // A store that has no folder open yet.
        let store = try disk.open()
        let shard = (disk.keyFile(key) as NSString).deletingLastPathComponent
        let folder = place == "shard" ? shard : disk.file(place)
        // The same names lead to other keys there.
        let outside = disk.folder.file("outside")
        try FileManager.default.copyItem(atPath: folder, toPath: outside)
        let listing = { try run("find", [outside, "-printf", "%P %i %T@ %m\n"]).output }
        #expect(rename(folder, disk.folder.file("moved")) == 0 && symlink(outside, folder) == 0)
        let before = try listing()

        #expect(throws: StoreError.self) { try store.open(key) }
        #expect(throws: StoreError.self) { try store.locate(key, until: nil) }
        #expect(throws: StoreError.self) { try store.put(content, as: key) }
        #expect(throws: StoreError.self) { try store.remove(key) }
        #expect(throws: StoreError.self) { try store.moveToTrash(key, now: nil, isDurable: true) { _ in true } }
        #expect(throws: StoreError.self) { try disk.sweep() }
        var found: [StoredKey] = []
        try? store.forEachKey(unreadable: { _, _ in }) { found.append($0) }
        #expect(found.isEmpty)
        _ = try? store.scrub(.everything, pace: { _ in }) { _ in }
        try? store.inspect(repair: true, looksForUnreferencedContent: true) { _ in }
        #expect(try listing() == before)
    }
}
