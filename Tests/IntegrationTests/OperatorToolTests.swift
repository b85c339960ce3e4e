import Foundation
import PayloadKey
import TestSupport
import Testing

/// `lps` on the store of a running service.
@Suite(.serialized, .runLimit) struct OperatorToolTests {
    private let stack: Stack
    private let content = randomPayload(5_000)

    init() throws {
        stack = try Stack()
    }

    private func lps(_ arguments: String...) throws -> (status: Int32, output: String) {
        try run(Project.binary("lps"), [arguments[0], "--store", stack.store] + arguments.dropFirst())
    }

    /// Stores a payload through the service, and gives its key.
    private func put(_ content: [UInt8], namespace: String = "ns", prefix: String? = nil) throws -> String {
        let metadata = prefix.map { TemporalMetadata([(Array("remote-codec/key-prefix".utf8), Array($0.utf8))]) }
        let answer = try stack.put(content, namespace: namespace, metadata: metadata?.json ?? "{}")
        try #require(answer.status == 201 || answer.status == 200)
        let json = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: String]
        return try #require(json?["Key"])
    }

    private func makeOld(_ key: String, seconds: Int) throws {
        let path = try #require(json(lps("stat", key, "--json"))["path"] as? String)
        var times = Array(repeating: timespec(tv_sec: time(nil) - seconds, tv_nsec: 0), count: 2)
        #expect(utimensat(AT_FDCWD, "\(stack.store)/\(path)", &times, 0) == 0)
    }

    private func damage(_ key: String) throws {
        let path = try stack.object(of: key)
        chmod(path, 0o640)
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: 2_500)
        try file.write(contentsOf: [content[2_500] ^ 1])
        try file.close()
    }

    private func json(_ result: (status: Int32, output: String)) throws -> [String: Any] {
        #expect(result.status == 0, "\(result.output)")
        return try #require(JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }

    @Test func `What the service has stored is listed, told and given, and what lps stores the service gives`() throws {
        let key = try put(content)
        let listed = try lps("ls")
        #expect(listed.status == 0)
        #expect(listed.output.contains("4.9 KiB") && listed.output.hasSuffix("\(key)\n"))
        let told = try lps("stat", key)
        #expect(told.status == 0)
        #expect(told.output.contains("5000") && told.output.contains("verified"))
        let fetched = stack.folder.file("fetched")
        let command = "'\(Project.binary("lps"))' get --store '\(stack.store)' '\(key)' > '\(fetched)'"
        #expect(try run("sh", ["-c", command]).status == 0)
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: fetched))) == content)

        let other = Array("from a file".utf8)
        try write(other, to: stack.folder.file("file"))
        let stored = try lps("put", stack.folder.file("file"), "--namespace", "ns")
        #expect(stored.status == 0)
        let otherKey = stored.output.trimmingCharacters(in: .newlines)
        #expect(try stack.get(otherKey, length: other.count).body == other)
    }

    @Test func `A damaged payload is not given`() throws {
        let key = try put(content)
        try damage(key)
        for command in ["stat", "get"] {
            let answer = try lps(command, key)
            #expect(answer.status == 1)
            #expect(answer.output.contains("damaged") && answer.output.split(separator: "\n").count == 1)
        }
    }

    @Test func `A scrub takes away what is damaged, and an upload through the service revives all its keys`() throws {
        let key = try put(content)
        let other = try put(content, namespace: "other")
        #expect(try lps("scrub").status == 0)
        try damage(key)
        let found = try lps("scrub")
        #expect(found.status == 1)
        #expect(found.output.contains("damaged: objects/"))
        for key in [key, other] { #expect(found.output.contains("lost: \(key)"), "\(found.output)") }
        for key in [key, other] { #expect(try stack.get(key, length: content.count).status == 404) }
        // Until then every scrub names the keys that have lost their content.
        let again = try lps("scrub")
        #expect(again.status == 1)
        #expect(again.output.components(separatedBy: "key without content: keys/").count == 3, "\(again.output)")
        #expect(try put(content) == key)
        for key in [key, other] { #expect(try stack.get(key, length: content.count).body == content) }
        #expect(try lps("scrub").status == 0)
    }

    @Test func `A scrub tells what a crash has left, and mends it when asked to`() throws {
        let key = try put(content)
        let unreferenced = randomPayload(300)
        let orphan = try put(unreferenced)
        unlink(try stack.file(of: orphan))
        let object = try stack.object(of: orphan)
        let lost = try put(randomPayload(200))
        unlink(try stack.object(of: lost))
        let modified = try stack.object(of: put(randomPayload(100)))
        chmod(modified, 0o666)
        try write([1], to: "\(stack.store)/note")
        rmdir("\(stack.store)/quarantine")
        let found = try lps("scrub")
        #expect(found.status == 1)
        #expect(found.output.contains("missing: quarantine") && found.output.contains("no folder quarantine/"))
        #expect(try lps("scrub", "--repair").status == 1)
        #expect(!FileManager.default.fileExists(atPath: object))

        try write(unreferenced, to: object)
        chmod(object, 0o440)
        chmod(modified, 0o666)
        for isMended in [false, true] {
            let rows = try rows(lps("scrub", "--json", isMended ? "--repair" : "--since-last"))
            let kinds = rows.compactMap { $0["kind"] as? String }.sorted()
            #expect(kinds == ["keyWithoutContent", "stray", "unreferencedContent", "wrongMode"])
            // Only an upload gives lost content back.
            let lasting = ["keyWithoutContent", "stray"]
            for row in rows {
                let kind = try #require(row["kind"] as? String)
                #expect(row["mended"] as? Bool == (isMended && !lasting.contains(kind)), "\(row)")
            }
        }
        unlink("\(stack.store)/note")
        #expect(try lps("rm", lost).status == 0)
        #expect(try lps("scrub").status == 0)
        #expect(!FileManager.default.fileExists(atPath: object))
        #expect(try stack.get(key, length: content.count).body == content)
    }

    /// The lines of JSON of a scrub that found something.
    private func rows(_ result: (status: Int32, output: String)) throws -> [[String: Any]] {
        #expect(result.status == 1, "\(result.output)")
        return try result.output.split(separator: "\n").map { line in
            try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `What another user has put into the store is told, when it can be neither read nor mended`() throws {
        let object = try stack.object(of: put(content))
        chmod(stack.folder.path, 0o755)
        #expect(try run("chown", ["-R", "65534:65534", stack.store]).status == 0)
        #expect(chown(object, 0, 0) == 0 && chmod(object, 0o400) == 0)
        let scrub = [Project.binary("lps"), "scrub", "--store", stack.store, "--repair", "--json"]
        let rows = try rows(run("setpriv", ["--reuid", "65534", "--regid", "65534", "--clear-groups"] + scrub))
        #expect(rows.compactMap { $0["kind"] as? String } == ["wrongOwner", "unreadable"])
        #expect(rows.allSatisfy { $0["mended"] as? Bool == false })
        #expect(!FileManager.default.fileExists(atPath: "\(stack.store)/last-scrub.json"), "it was not complete")
    }

    @Test func `A scrub keeps to its rate`() throws {
        for _ in 0..<4 { _ = try put(randomPayload(1 << 20)) }
        let start = ContinuousClock.now
        #expect(try lps("scrub", "--rate", "8m").status == 0)
        // Not faster; slower is the machine's affair. RateLimitTests measure it.
        #expect(ContinuousClock.now - start >= .seconds(0.5))
        for rate in ["0", "", "m", "1t", "-1", "1.5m", "99999999999g"] {
            #expect(try lps("scrub", "--rate=\(rate)").status == 64)
        }
    }

    @Test(arguments: [
        ("scrub", "of 4.9 KiB"), ("gc --older-than 30d", "of 1 keys"), ("gc --older-than 30d --dry-run", "of 1 keys"),
    ])
    func `Progress is shown on a terminal, and nowhere else`(command: String, progress: String) throws {
        _ = try put(content)
        let lps = "'\(Project.binary("lps"))' \(command) --store '\(stack.store)'"
        let results = stack.folder.file("results")
        func shown(_ command: String) throws -> String {
            let answer = try run("script", ["-qec", command, "/dev/null"])
            #expect(answer.status == 0)
            return answer.output
        }
        let name = command.prefix { $0 != " " }
        let onTerminal = try shown("\(lps) > '\(results)'")
        #expect(onTerminal.contains("\r\(name): 0") && onTerminal.contains(progress), "\(onTerminal)")
        #expect(onTerminal.split(separator: "\r").last?.allSatisfy { $0 == " " } == true, "it is wiped")
        let without = try shown("\(lps) > '\(results)-2' 2> '\(results)-errors'")
        #expect(without.isEmpty)
        #expect(try contents(of: "\(results)-errors").isEmpty)
        #expect(try contents(of: "\(results)-2") == contents(of: results), "results are the same")
        #expect(try !contents(of: results).isEmpty && !contents(of: results).contains(UInt8(ascii: "\r")))
    }

    @Test func `Sums count shared content once`() throws {
        _ = try put(content)
        _ = try put(content, namespace: "other", prefix: "a/b")
        let rows = try lps("du", "--json").output.split(separator: "\n").map { line in
            try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
        #expect(rows.map { $0["namespace"] as? String } == ["ns", "other"])
        #expect(rows.map { $0["prefix"] as? String } == ["", "a/b"])
        #expect(rows.allSatisfy { $0["payloads"] as? Int == 1 && $0["logicalBytes"] as? Int == 5_000 })
        let block = rows.compactMap { $0["diskBytes"] as? Int }.reduce(0, +)
        #expect((5_000...16_384).contains(block), "\(block)")
        #expect(rows.compactMap { $0["savedBytes"] as? Int }.reduce(0, +) == block)
        let table = try lps("du").output
        #expect(table.contains("other/a/b") && table.contains("total"))
        #expect(try !lps("du", "--namespace", "ns").output.contains("other"))
    }

    @Test func `Garbage is what is older than asked, of the namespace asked`() throws {
        let old = try put(content)
        let fresh = try put(randomPayload(100))
        let elsewhere = try put(randomPayload(200), namespace: "other")
        for key in [old, elsewhere] { try makeOld(key, seconds: 3 * 86_400) }

        #expect(try json(lps("gc", "--older-than", "2d", "--dry-run", "--json"))["keys"] as? Int == 2)
        #expect(try stack.get(old, length: content.count).status == 200)
        let result = try json(lps("gc", "--older-than", "2d", "--namespace", "ns", "--json"))
        #expect(result["keys"] as? Int == 1)
        #expect(result["logicalBytes"] as? Int == 5_000)
        #expect(try #require(result["freedBytes"] as? Int) >= 5_000)
        #expect(try stack.get(old, length: content.count).status == 404)
        #expect(try stack.get(fresh, length: 100).status == 200)
        #expect(try stack.get(elsewhere, length: 200).status == 200)
        #expect(try put(content) == old, "it can be stored again")
        #expect(try stack.get(old, length: content.count).body == content)
    }

    @Test func `An age under a day needs force, and nonsense is refused`() throws {
        let key = try put(content)
        #expect(try lps("gc", "--older-than", "23h").status == 64)
        for age in ["", "1", "d", "-1d", "1w", "1.5d", "99999999999999999999d"] {
            #expect(try lps("gc", "--older-than=\(age)").status == 64)
        }
        try makeOld(key, seconds: 1_800)
        #expect(try lps("gc", "--older-than", "1h", "--force").status == 0)
        #expect(try stack.get(key, length: content.count).status == 200)
        #expect(try lps("gc", "--older-than", "20m", "--force").status == 0)
        #expect(try stack.get(key, length: content.count).status == 404)
    }

    @Test func `An archive is read by tar, and imported into another store whose service gives the payloads`() throws {
        let key = try put(content)
        let other = try put(content, namespace: "other", prefix: "p/q")
        let archive = stack.folder.file("archive.tar")
        let lps = "'\(Project.binary("lps"))'"
        #expect(try run("sh", ["-c", "\(lps) export --store '\(stack.store)' > '\(archive)'"]).status == 0)
        for tar in ["tar", "bsdtar"] {
            let listed = try run(tar, ["-tf", archive])
            #expect(listed.status == 0)
            #expect(listed.output.split(separator: "\n").sorted() == [key.dropFirst(), other.dropFirst()].sorted())
            let files = stack.folder.file(tar)
            mkdir(files, 0o700)
            #expect(try run(tar, ["-xf", archive, "-C", files]).status == 0)
            for key in [key, other] { #expect(try contents(of: files + key) == content) }
        }

        let another = try Stack()
        for created in [2, 0] {
            let command = "\(lps) import --json --store '\(another.store)' < '\(archive)'"
            let result = try json(run("sh", ["-c", command]))
            #expect(result["keys"] as? Int == 2)
            #expect(result["created"] as? Int == created)
        }
        for key in [key, other] { #expect(try another.get(key, length: content.count).body == content) }
        #expect(another.tree == stack.tree)
        try another.expectNothingIncoming()

        let cut = try run("sh", ["-c", "head -c 3000 '\(archive)' | \(lps) import --store '\(another.store)'"])
        #expect(cut.status == 1)
        #expect(cut.output.hasSuffix("the archive is cut off\n") && cut.output.split(separator: "\n").count == 1)
    }

    @Test(arguments: ["export", "import"])
    func `An archive is neither written to a terminal nor read from one`(command: String) throws {
        let answer = try run(
            "script",
            ["-qec", "'\(Project.binary("lps"))' \(command) --store '\(stack.store)'", "/dev/null"]
        )
        #expect(answer.status == 64)
        #expect(answer.output.contains("is a terminal: redirect it"))
    }

    @Test func `A large payload goes from store to store in little memory`() throws {
        let key = try put(randomPayload(64 << 20))
        let another = try Stack()
        let report = stack.folder.file("memory")
        let lps = "time -q -f %M -a -o '\(report)' '\(Project.binary("lps"))'"
        let pipe = "\(lps) export --store '\(stack.store)' | \(lps) import --store '\(another.store)'"
        let answer = try run("sh", ["-c", pipe])
        #expect(answer.status == 0, "\(answer.output)")
        #expect(try another.get(key, length: 64 << 20).status == 200)
        let kibibytes = try String(contentsOfFile: report, encoding: .utf8).split(separator: "\n").compactMap {
            Int($0)
        }
        #expect(kibibytes.count == 2 && kibibytes.allSatisfy { $0 < 32 << 10 }, "\(kibibytes)")
    }

    @Test func `A deleted key is gone, its content stays while another key has it`() throws {
        let key = try put(content)
        let other = try put(content, namespace: "other")
        #expect(try lps("rm", key).status == 0)
        #expect(try stack.get(key, length: content.count).status == 404)
        #expect(try stack.get(other, length: content.count).body == content)
        let again = try lps("rm", key)
        #expect(again.status == 1 && again.output.contains("not stored"))
        #expect(try lps("rm", "nonsense").status == 64)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `Only the store's owner may operate on it`() throws {
        chmod(stack.folder.path, 0o755)
        #expect(chown(stack.store, 65_534, 65_534) == 0)
        let answer = try lps("ls")
        #expect(answer.status == 64 && answer.output.contains("belongs to nobody"))
    }

    @Test func `The store may be named by the environment`() throws {
        let key = try put(content)
        let child = try ChildProcess(
            Project.binary("lps"),
            ["ls"],
            environment: ["LPS_STORE": stack.store],
            log: stack.folder.file("ls")
        )
        #expect(child.wait() == 0)
        #expect(child.log.contains(key))
        #expect(try run(Project.binary("lps"), ["ls"]).status == 64)
    }
}
