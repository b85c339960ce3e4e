import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct CommitTests {
    private let disk: TestStore
    private let content = Array("a payload".utf8)

    init() throws { disk = try TestStore() }

    @Test func `Files have the documented names, and all keys of the same content share one object`() throws {
        #expect(try disk.commit(content) == .created)
        let (shard, hex) = (Digest(of: content).shard, Digest(of: content).hex)
        let key = "keys/ns/common/\(shard)/\(hex).\(Digest(of: "".utf8).hex)"
        #expect(
            files(below: disk.path).filter { $0.hasPrefix("objects") || $0.hasPrefix("keys") }
                == [key, "objects/\(shard)/\(hex)"]
        )
        let object = try #require(disk.status(disk.objectFile(content)))
        #expect(object.mode == 0o440 && object.links == 1)
        #expect(disk.status(disk.file(key))?.mode == 0o440)
        #expect(try disk.commit(content, metadata: "m") == .linked)
        #expect(try disk.commit(content, prefix: "team/a") == .linked)
        #expect(try disk.commit(content, "other") == .linked)
        #expect(files(below: disk.file("objects")).count == 1)
        let keys = files(below: disk.file("keys"))
        #expect(keys.count == 4)
        for key in keys { #expect(disk.status(disk.file("keys/\(key)"))?.size == 0, "a key file is empty") }
    }

    @Test func `Every valid namespace has its own folder, even if Unicode considers two equal`() throws {
        let names =
            ["%2e%2e", "...", "a b?#&", "\\", "日本", String(repeating: "x", count: 200), "common", "-rf", "\u{E9}"]
            + ["e\u{301}"] + namespacesThatMeltIntoSlashes
        for name in names {
            #expect(try disk.get(content, name) == nil)
            try disk.put(content, name)
            #expect(try disk.get(content, name) == content)
        }
        let folders = try FileManager.default.contentsOfDirectory(atPath: disk.file("keys"))
        #expect(Set(folders.map { Array($0.utf8) }) == Set(names.map { Array($0.utf8) }))
    }

    @Test func `The longest valid prefix fits into a path`() throws {
        let part = String(repeating: "p", count: 200)
        let prefix = "\(part)/\(part)/\(String(repeating: "p", count: 110))"
        #expect(prefix.utf8.count == 512)
        #expect(try disk.get(disk.put(content, prefix: prefix)) == content)
    }

    @Test func `Of sixteen concurrent uploads of the same payload, exactly one creates the key`() throws {
        for round in 0..<20 {
            let content = content + [UInt8(round)]
            let created = Counter()
            try concurrently(16) { [disk] _ in
                if try disk.commit(content) != .existed { created.add() }
            }
            #expect(created.value == 1)
            #expect(try disk.get(content) == content)
        }
    }

    @Test func `A folder in place of a key fails the upload, which leaves nothing in incoming`() throws {
        let key = try payloadKey(content)
        try disk.makeFolder(disk.keyFile(key))
        let error = #expect(throws: StoreError.self) { try disk.store.put(content, as: key) }
        #expect(error?.code == .damaged)
        #expect(files(below: disk.file("incoming")).isEmpty)
    }

    @Test(arguments: ["objects", "keys/ns", "keys/ns/common"])
    func `A folder that is deleted while the process runs is recreated`(folder: String) throws {
        try disk.put(content)
        let isShard = folder == "objects"
        try FileManager.default.removeItem(
            atPath: disk.file(isShard ? "objects/\(Digest(of: content).shard)" : folder)
        )
        try disk.put(content)
        #expect(try disk.get(content) == content && disk.hasObject(content))
    }

    @Test func `A folder that is moved away while the process runs receives no more payloads`() throws {
        try disk.put(content)
        try FileManager.default.moveItem(atPath: disk.file("keys/ns"), toPath: disk.folder.file("moved"))
        #expect(try disk.commit(content) == .linked)
        #expect(try disk.get(content) == content)
    }

    @Test func `More namespaces than cached open folders are served`() throws {
        // As if the rest of the process needed every file descriptor.
        let disk = try TestStore(otherFiles: .max)
        #expect(disk.store.folders.capacity == 1)
        for index in 0..<50 { #expect(try disk.commit(content, "n\(index)") != .existed) }
        #expect(try disk.commit(content, "n0") == .existed)
    }
}
