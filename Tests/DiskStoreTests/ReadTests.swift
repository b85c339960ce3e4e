import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct ReadTests {
    private let disk: TestStore
    private let content = Array("a payload".utf8)

    init() throws { disk = try TestStore() }

    /// That neither a worker nor the web server may serve a key, which is not missing either.
    private func expectFault(_ key: PayloadKey, _ comment: Comment? = nil, line: SourceLocation = #_sourceLocation) {
        #expect(throws: StoreError.self, comment, sourceLocation: line) { try disk.get(key) }
        #expect(throws: StoreError.self, comment, sourceLocation: line) { try disk.store.locate(key, until: nil) }
    }

    @Test func `An object that is not a regular file is an error of the store, not a missing payload`() throws {
        let key = try disk.put(content)
        let path = disk.objectFile(content)
        rename(path, disk.file("aside"))
        mkdir(path, 0o700)
        expectFault(key)
        rmdir(path)
        symlink(disk.file("aside"), path)
        expectFault(key)
        unlink(path)
        mkfifo(path, 0o600)
        expectFault(key)
    }

    @Test func `A shard that is not a folder is an error of the store, not lost content`() throws {
        let key = try disk.put(content)
        let shard = (disk.objectFile(content) as NSString).deletingLastPathComponent
        rename(shard, disk.file("aside"))
        try write([], to: shard)
        expectFault(key)
        #expect(!disk.log.text.contains("content lost"))
    }

    @Test func `A link in place of a key or of a folder above it is an error of the store`() throws {
        let target = disk.keyFile(try disk.put(content, "other"))
        let link = disk.keyFile(try payloadKey(content))
        try disk.makeFolder((link as NSString).deletingLastPathComponent)
        symlink(target, link)
        expectFault(try payloadKey(content))
        symlink(disk.file("keys/other"), disk.file("keys/linked"))
        expectFault(try payloadKey(content, "linked"))
    }

    @Test func `An open payload stays readable when its key is deleted, and reading one that shrinks fails`()
        throws
    {
        let key = try disk.put(content)
        let payload = try #require(try disk.store.open(key))
        for path in [disk.keyFile(key), disk.objectFile(content)] { rename(path, disk.file("aside")) }
        var bytes: [UInt8] = []
        try payload.read(0..<payload.size) { bytes += Array($0) }
        #expect(bytes == content)
        truncate(disk.file("aside"), 3)
        #expect(throws: StoreError.self) { try payload.read(0..<payload.size) { _ in } }
    }
}
