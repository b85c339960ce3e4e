import Foundation
import TestSupport
import Testing

/// `lps gc --keep-trash` and `lps undelete` on the store of a running service.
@Suite(.serialized, .runLimit) struct TrashToolTests {
    private let stack: Stack
    private let content = randomPayload(5_000)

    init() throws {
        stack = try Stack()
    }

    /// A payload that is garbage for its age.
    private func storeGarbage(_ content: [UInt8], namespace: String = "ns", prefix: String? = nil) throws -> String {
        let key = try stack.store(content, namespace: namespace, prefix: prefix)
        try stack.makeOld(key, seconds: 3 * 86_400)
        return key
    }

    /// As if so many days had passed since all that is in the trash was deleted.
    private func ageTrash(days: Int) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(stack.store)/trash") {
            let deleted = try #require(Int(name)) - days * 86_400
            #expect(rename("\(stack.store)/trash/\(name)", "\(stack.store)/trash/\(deleted)") == 0)
        }
    }

    private func diskUsage() throws -> Int {
        let rows = try stack.lps("du", "--json").output.split(separator: "\n").map { line in
            try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
        return rows.compactMap { $0["diskBytes"] as? Int }.reduce(0, +)
    }

    @Test func `What is kept in the trash is not served, takes its space, and can be given back`() throws {
        let key = try storeGarbage(content)
        let before = try diskUsage()
        let collected = try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "3d")
        #expect(collected["keys"] as? Int == 1 && collected["freedBytes"] as? Int == 0)
        #expect(try stack.get(key, length: content.count).status == 404)
        #expect(try diskUsage() == before, "the trash takes what the key took")
        #expect(try stack.lps("du").output.contains("ns (trash)"))

        let listed = try stack.lps("undelete", "--dry-run")
        #expect(listed.status == 0 && listed.output.contains(key))
        #expect(try stack.get(key, length: content.count).status == 404)
        let undeleted = try stack.lps("undelete", key)
        #expect(undeleted.status == 0 && undeleted.output == "undeleted 1 keys of 4.9 KiB\n")
        #expect(try stack.get(key, length: content.count).body == content)
        #expect(try stack.lpsJSON("gc", "--older-than", "2d")["keys"] as? Int == 0, "its age counts anew")
        #expect(try stack.lps("undelete", key).status == 1, "it is in the trash no more")
    }

    @Test func `The trash is purged of what is there for longer than asked, which frees its space`() throws {
        _ = try storeGarbage(content)
        _ = try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "3d")
        try ageTrash(days: 2)
        #expect(try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "3d")["purgedKeys"] as? Int == 0)
        try ageTrash(days: 2)
        let dry = try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "3d", "--dry-run")
        #expect(dry["purgedKeys"] as? Int == 1)
        #expect(try stack.lpsJSON("gc", "--older-than", "2d")["purgedKeys"] as? Int == 0, "who keeps none purges none")
        let purged = try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "3d")
        #expect(purged["purgedKeys"] as? Int == 1)
        #expect(try #require(purged["freedBytes"] as? Int) >= 5_000)
        #expect(purged["freedBytes"] as? Int == dry["freedBytes"] as? Int)
        #expect(stack.tree.isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(stack.store)/trash").isEmpty)
    }

    @Test func `The trash is emptied by keeping it for no time, and then nothing is kept`() throws {
        _ = try storeGarbage(content)
        _ = try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "3d")
        _ = try storeGarbage(randomPayload(100))
        let result = try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "0d")
        #expect(result["purgedKeys"] as? Int == 1 && result["keys"] as? Int == 1)
        #expect(stack.tree.isEmpty)
        #expect(files(below: "\(stack.store)/trash").isEmpty)
    }

    @Test func `A namespace or a prefix is undeleted alone`() throws {
        let keys = try [
            storeGarbage(content, namespace: "a"), storeGarbage(content, namespace: "b", prefix: "p/q"),
            storeGarbage(content, namespace: "c"),
        ]
        #expect(try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "3d")["keys"] as? Int == 3)
        func stored() throws -> [Bool] { try keys.map { try stack.get($0, length: content.count).status == 200 } }
        #expect(try stack.lps("undelete", "--namespace", "a").status == 0)
        #expect(try stored() == [true, false, false])
        #expect(try stack.lps("undelete", "--prefix", "p").status == 0)
        #expect(try stored() == [true, true, false])
        #expect(try stack.lps("undelete").status == 0)
        #expect(try stored() == [true, true, true])
        #expect(try stack.lps("undelete", "--namespace", "a", keys[0]).status == 64)
    }

    @Test func `A payload that is stored again needs no undeletion, and its trash is purged alone`() throws {
        let key = try storeGarbage(content)
        _ = try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "1d")
        #expect(try stack.store(content, namespace: "ns") == key)
        try ageTrash(days: 2)
        let result = try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "1d")
        #expect(result["purgedKeys"] as? Int == 1 && result["freedBytes"] as? Int == 0)
        #expect(try stack.get(key, length: content.count).body == content)
    }

    @Test func `Damaged content is not given back, and is told of`() throws {
        let key = try storeGarbage(content)
        let sound = try storeGarbage(randomPayload(100))
        let path = try stack.object(of: key)
        chmod(path, 0o640)
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.write(contentsOf: [content[0] ^ 1])
        try file.close()
        _ = try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "3d")
        let result = try stack.lps("undelete")
        #expect(result.status == 1 && result.output.contains("is damaged"))
        #expect(result.output.contains("undeleted 1 keys of 100 B"))
        #expect(try stack.get(key, length: content.count).status == 404)
        #expect(try stack.get(sound, length: 100).status == 200)
    }

    @Test func `Workers and scrubs take the trash for what it is`() throws {
        _ = try storeGarbage(content)
        _ = try stack.lpsJSON("gc", "--older-than", "2d", "--keep-trash", "3d")
        try stack.startWorkers(1)
        #expect(!stack.workerLog.contains("ignored"))
        #expect(try stack.lps("scrub", "--repair").status == 0)
        #expect(try stack.lps("undelete").output == "undeleted 1 keys of 4.9 KiB\n")
    }
}
