import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// The commands on a store of either kind.
@Suite(.runLimit) struct StoreCommandTests {
    private let content = randomPayload(5_000)

    @Test(arguments: ToolStore.kinds)
    func `Payloads are stored, listed, shown, read and deleted`(kind: StoreKind) throws {
        let store = try ToolStore(kind)
        let key = try store.put(content)
        #expect(try store.put(content) == key, "stored again")
        let prefixed = try store.put(content, "a b", prefix: "team/a")
        #expect(try store.keys() == ["\(key)", "\(prefixed)"])
        #expect(try store.lps("ls", "--namespace", "ns").output.hasPrefix("   4.9 KiB  20"))
        let told = try store.lps("stat", "\(key)")
        #expect(told.status == 0 && told.output.contains("5000 bytes") && told.output.hasSuffix("verified\n"))
        #expect(try store.get(prefixed) == content)
        #expect(try store.keys("--namespace", "a b", "--prefix", "team") == ["\(prefixed)"])
        #expect(try store.keys("--namespace", "a b", "--prefix", "tea").isEmpty)

        #expect(try store.lps("rm", "\(key)").status == 0)
        for command in ["rm", "stat", "get"] {
            let answer = try store.lps(command, "\(key)")
            #expect(answer.status == 1 && answer.bytes.isEmpty)
            #expect(answer.errors == "lps: \(key) is not stored\n")
        }
        #expect(try store.get(prefixed) == content, "another key of the same content stays")
        #expect(try store.lps("rm", "\(key)", "\(prefixed)").status == 1, "only one of them was stored")
        #expect(try store.keys().isEmpty)
    }

    @Test(arguments: ToolStore.kinds)
    func `A key's JSON has its size, its age and the number of keys that share its content`(kind: StoreKind) throws {
        let store = try ToolStore(kind)
        let before = Date().ISO8601Format().prefix(13)
        let keys = try ["a", "b"].map { try store.put(content, $0) }
        let row = try #require(jsonLines(store.lps("stat", "--json", "\(keys[0])")).first)
        #expect(Set(row.keys) == ["key", "size", "diskUsage", "lastStored", "path", "sharers"])
        #expect(row["key"] as? String == "\(keys[0])" && row["size"] as? Int == 5_000)
        #expect(row["sharers"] as? Int == (kind == .disk ? 2 : 1))
        #expect(
            (row["lastStored"] as? String)?.hasPrefix(before) == true || before != Date().ISO8601Format().prefix(13)
        )
        let listed = try jsonLines(store.lps("ls", "--json", "--namespace", "a"))
        #expect(listed.count == 1 && listed[0]["path"] as? String == row["path"] as? String)
    }

    @Test(arguments: ToolStore.kinds)
    func `du sums by namespace and prefix, and counts shared bytes on disk once`(kind: StoreKind) throws {
        let store = try ToolStore(kind)
        _ = try store.put(content)
        _ = try store.put(content, "other", prefix: "a/b")
        let rows = try jsonLines(store.lps("du", "--json"))
        #expect(rows.map { $0["namespace"] as? String } == ["ns", "other"])
        #expect(rows.map { $0["prefix"] as? String } == ["", "a/b"])
        #expect(rows.allSatisfy { $0["isInTrash"] as? Bool == false && $0["payloads"] as? Int == 1 })
        func sum(_ field: String) -> Int { rows.compactMap { $0[field] as? Int }.reduce(0, +) }
        #expect(sum("logicalBytes") == 10_000)
        #expect((kind == .disk ? 5_000...16_384 : 10_000...10_000).contains(sum("diskBytes")))
        #expect(sum("savedBytes") == (kind == .disk ? sum("diskBytes") : 0))
        let table = try store.lps("du").lines.map { $0.split(separator: " ", omittingEmptySubsequences: true) }
        #expect(table.compactMap(\.first) == ["NAMESPACE/PREFIX", "ns", "other/a/b", "total"])
        #expect(table[3].starts(with: ["total", "2", "9.8", "KiB"]))
        let one = try store.lps("du", "--prefix", "a").output
        #expect(one.contains("other/a/b") && !one.contains("\nns"))
    }

    // MARK: Damage

    @Test(arguments: ToolStore.kinds)
    func `A damaged payload is not read`(kind: StoreKind) throws {
        let store = try ToolStore(kind)
        let key = try store.put(content)
        try store.damage(key, content)
        for command in ["stat", "get"] {
            let answer = try store.lps(command, "\(key)")
            #expect(answer.status == 1 && answer.bytes.isEmpty)
            #expect(answer.errors.contains("damaged") && answer.errors.split(separator: "\n").count == 1)
        }
    }

    @Test(arguments: ToolStore.kinds)
    func `A scrub quarantines damaged content and names its keys, and an upload restores it`(kind: StoreKind) throws {
        let store = try ToolStore(kind)
        let key = try store.put(content)
        let whole = try store.put(randomPayload(3_000_000))
        let sound = try store.lps("scrub")
        #expect(sound.status == 0 && sound.output.contains(": 0 damaged, 0 other findings, 0 repaired"))
        #expect(sound.output.hasPrefix("read 2 \(kind == .disk ? "files" : "objects"), 2.9 MiB"))
        try store.damage(key, content)
        let found = try store.lps("scrub")
        #expect(found.status == 1)
        #expect(found.output.contains("damaged: ") && found.output.contains("\n  lost: \(key)\n"), "\(found.output)")
        #expect(found.output.contains("1 damaged, 0 other findings, 1 repaired"), "\(found.output)")
        #expect(try store.get(key) == nil && store.get(whole)?.count == 3_000_000)
        #expect(try store.put(content) == key)
        #expect(try store.get(key) == content)
        #expect(try store.lps("scrub").status == 0)
    }

    @Test(.enabled(if: ToolStore.kinds.contains(.s3)))
    func `A command that needs a store on a disk refuses a bucket and says so`() throws {
        let store = try ToolStore(.s3)
        for arguments in [
            ["undelete"], ["quota"], ["export"], ["import"], ["init"], ["scrub", "--repair"],
            ["scrub", "--since-last"],
            ["gc", "--older-than", "30d", "--keep-trash", "1d"],
        ] {
            let answer = try store.tool.run(arguments)
            #expect(answer.status == 64, "\(arguments)")
            #expect(answer.errors.contains("needs a store on a disk"), "\(arguments): \(answer.errors)")
        }
    }

    // MARK: Command lines

    @Test func `A command without a store is a usage error, and a missing store a failure`() throws {
        let tool = Tool(settings: [:])
        for command in ["ls", "du", "quota", "scrub", "undelete", "export", "import", "init"] {
            let nowhere = try tool.run([command])
            #expect(nowhere.status == 64 && nowhere.errors.contains("--store (LPS_STORE) is required"), "\(command)")
            if command == "init" { continue }
            let missing = try tool.run([command, "--store", "/nowhere"])
            #expect(missing.status == 1 && missing.errors.contains("/nowhere"), "\(command): \(missing.errors)")
        }
    }

    @Test func `A store of format 1 is refused with one line that says how to move its payloads`() throws {
        let disk = try TestStore(isInMemory: true)
        let layout = disk.file("layout.json")
        let json = try String(contentsOfFile: layout, encoding: .utf8)
        #expect(json.contains("\"version\":2"))
        try write(json.replacingOccurrences(of: "\"version\":2", with: "\"version\":1").utf8, to: layout)
        for arguments in [
            ["ls"], ["scrub"], ["scrub", "--repair"], ["gc", "--older-than", "2d"],
            ["put", layout, "--namespace", "ns"], ["init"],
        ] {
            let refused = try disk.tool.run(arguments)
            #expect(refused.status != 0 && refused.errors.split(separator: "\n").count == 1, "\(refused.errors)")
            #expect(refused.errors.contains("has format version 1, this version reads version 2"))
            #expect(refused.errors.contains("'lps export'"))
        }
        #expect(files(below: disk.path).allSatisfy { !$0.hasPrefix("objects/") && !$0.hasPrefix("incoming/") })
    }

    @Test(.enabled(if: geteuid() == 0, "only root can change a file's owner"))
    func `A command refuses to run as another user than the store's owner`() throws {
        let disk = try TestStore(isInMemory: true)
        #expect(chown(disk.path, 65_534, 65_534) == 0)
        for arguments in [["ls"], ["scrub"], ["gc", "--older-than", "2d"]] {
            let answer = try disk.tool.run(arguments)
            #expect(answer.status == 64 && answer.errors.contains("belongs to nobody"), "\(answer.errors)")
        }
    }
}
