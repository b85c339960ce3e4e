import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// `lps` on a store that its user can only partly read or change: one bad folder must not stop it.
@Suite(.serialized, .runLimit, .enabled(if: geteuid() == 0, "only root can give files away and become another user"))
struct UnreadableStoreTests {
    private let local: TestStore
    private let content = Array("a payload".utf8)
    private let nobody: uid_t = 65_534

    init() throws {
        local = try TestStore()
        chmod(local.folder.path, 0o755)
    }

    /// Gives the store to another user, except `paths`, which stay root's and get `mode`.
    private func giveAway(except paths: [String], mode: mode_t) throws {
        #expect(try run("chown", ["-R", "\(nobody):\(nobody)", local.path]).status == 0)
        for path in paths {
            #expect(chown(local.file(path), 0, 0) == 0 && chmod(local.file(path), mode) == 0)
        }
    }

    private func lps(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let user = ["--reuid", "\(nobody)", "--regid", "\(nobody)", "--clear-groups", Project.binary("lps")]
        return try run("setpriv", user + [arguments[0], "--store", local.path] + arguments.dropFirst())
    }

    private func shard(_ content: [UInt8]) -> String { String(Digest(of: content).hex.prefix(2)) }

    /// Payloads in shards of their own.
    private func contents(_ count: Int) -> [[UInt8]] {
        ["10", "20", "30", "40"].prefix(count).map { payload(inShard: $0) }
    }

    @Test(arguments: [0o700, 0o744] as [mode_t])
    func `A scrub verifies all readable content and reports the rest`(mode: mode_t) throws {
        let contents = contents(3)
        let keys = try contents.map { try local.put($0) }
        try local.put(contents[0], "secret")
        try local.harm(contents[0])
        let secrets = ["objects/\(shard(contents[1]))", "keys/secret"]
        try giveAway(except: secrets, mode: mode)
        for options in [[], ["--repair"]] {
            let result = try lps(["scrub", "--json"] + options)
            #expect(result.status == 1)
            let rows = try result.output.split(separator: "\n").map { line in
                try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
            }
            func paths(_ kind: String) -> [String] {
                rows.filter { $0["kind"] as? String == kind }.compactMap { $0["path"] as? String }
            }
            #expect(paths("wrongOwner").sorted() == secrets.sorted())
            #expect(!paths("unreadable").isEmpty)
            #expect(paths("unreadable").allSatisfy { path in secrets.contains { path.hasPrefix($0) } })
            #expect(Set(paths("unreadable")).count == paths("unreadable").count, "each once")
            // The first scrub quarantines the damaged content.
            #expect(paths("damaged").count == (options.isEmpty ? 1 : 0))
        }
        #expect(try local.get(keys[0]) == nil && local.get(keys[2]) == contents[2])
        #expect(!FileManager.default.fileExists(atPath: local.file("last-scrub.json")), "the scrub was incomplete")
    }

    @Test func `A scrub reports another user's file that it can neither read nor repair`() throws {
        try local.put(content)
        try giveAway(except: ["objects/\(shard(content))/\(Digest(of: content).hex)"], mode: 0o400)
        let result = try lps(["scrub", "--repair", "--json"])
        #expect(result.status == 1)
        let lines = result.output.split(separator: "\n")
        #expect(lines.count == 2 && lines.allSatisfy { $0.contains("\"mended\":false") }, "\(result.output)")
        #expect(lines.first?.contains("\"wrongOwner\"") == true && lines.last?.contains("\"unreadable\"") == true)
        #expect(!FileManager.default.fileExists(atPath: local.file("last-scrub.json")), "the scrub was incomplete")
    }

    @Test func `lps undelete restores what it can and reports the rest`() throws {
        let contents = contents(4)
        let keys = try contents.map { try local.put($0) }
        for key in keys { try local.store.moveToTrash(key, now: 0) }
        try local.store.moveToTrash(local.put(content, "secret"), now: 0)
        let trash = "trash/3600"
        try giveAway(except: ["\(trash)/secret"], mode: 0o700)
        let hidden = try local.store.trashed(keys[0])[0].stored.path
        #expect(chown(local.file(hidden), 0, 0) == 0 && chmod(local.file(hidden), 0o400) == 0)
        let result = try lps(["undelete"])
        #expect(result.status == 1)
        #expect(result.output.contains("restored 3 keys"))
        #expect(result.output.contains("\(keys[0]) is not restored"))
        #expect(result.output.contains("\(trash)/secret: Permission denied"))
        #expect(try local.keys() == Set(keys.dropFirst()))
    }

    @Test(arguments: [[], ["--keep-trash", "1d"]])
    func `lps gc deletes what it can and reports the rest`(options: [String]) throws {
        let contents = contents(3)
        let keys = try zip(contents, ["a", "b", "c"]).map { try local.put($0, $1, days: 3) }
        // The name of one key can't be removed, and the folder of another can't be read.
        try giveAway(except: ["keys/a/common/\(shard(contents[0]))"], mode: 0o755)
        #expect(chown(local.file("keys/b"), 0, 0) == 0 && chmod(local.file("keys/b"), 0o700) == 0)
        let result = try lps(["gc", "--older-than", "2d"] + options)
        #expect(result.status == 1)
        #expect(result.output.contains("\(keys[0]) is not deleted"))
        #expect(result.output.contains("keys/b: Permission denied"))
        #expect(result.output.contains("deleted 1 keys"))
        #expect(try local.keys() == Set(keys.dropLast()))
    }
}
