import Foundation
import PayloadKey
import TestSupport
import Testing

/// `--namespace` and `--prefix`: a command touches the keys that they select, and no others.
@Suite(.serialized, .runLimit) struct SelectionTests {
    private let local: LocalStore
    /// Keys by what they are called here.
    private var keys: [String: PayloadKey] = [:]
    private var contents: [String: [UInt8]] = [:]

    /// Prefixes that look like a shard, of keys whose digests are of that shard.
    init() throws {
        local = try LocalStore()
        let prefixes: [(String, String?)] = [
            ("none", nil), ("team", "team"), ("team/1b", "team/1b"), ("team/1b/x", "team/1b/x"),
            ("team/1bc", "team/1bc"),
            ("1b", "1b"), ("teams", "teams"),
        ]
        for (name, prefix) in prefixes {
            let content = payload(inShard: "1b")
            contents[name] = content
            keys[name] = try local.put(content, "ns", prefix: prefix)
        }
        contents["other"] = contents["team/1b"]
        keys["other"] = try local.put(contents["team/1b"] ?? [], "other", prefix: "team/1b")
        for key in keys.values { try local.makeOld(key, days: 3) }
    }

    /// Which keys are there.
    private func names(in store: LocalStore) throws -> Set<String> {
        Set(try keys.filter { try store.get($0.value) == contents[$0.key] }.keys)
    }

    private static let cases: [(options: [String], selected: Set<String>)] = [
        (["--prefix", "team/1b"], ["team/1b", "team/1b/x", "other"]),
        (["--prefix", "team/1b", "--namespace", "ns"], ["team/1b", "team/1b/x"]),
        (["--prefix", "team/1b/", "--namespace", "other"], ["other"]),
        (["--prefix", "1b"], ["1b"]),
        (["--prefix", "team"], ["team", "team/1b", "team/1b/x", "team/1bc", "other"]),
        (["--prefix", "tea"], []),
        (["--namespace", "other"], ["other"]),
    ]

    @Test(arguments: cases)
    func `A collection deletes the selected keys, and no others`(options: [String], selected: Set<String>) throws {
        let dry = try local.lps(["gc", "--older-than", "2d", "--dry-run"] + options)
        #expect(dry.output.hasPrefix("would delete \(selected.count) keys"), "\(dry.output)")
        let collected = try local.lps(["gc", "--older-than", "2d"] + options)
        #expect(collected.status == 0 && collected.output.hasPrefix("deleted \(selected.count) keys"))
        #expect(try names(in: local) == Set(keys.keys).subtracting(selected))
        try local.store.inspect { Issue.record("\($0)") }
    }

    @Test(arguments: cases)
    func `A collection purges the trash of the selected keys, and no others`(options: [String], selected: Set<String>)
        throws
    {
        for key in keys.values { try local.store.moveToTrash(key, now: time(nil) - 5 * 86_400) }
        let collected = try local.lps(["gc", "--older-than", "2d", "--keep-trash", "1d", "--json"] + options)
        #expect(collected.output.contains("\"purgedKeys\":\(selected.count)"), "\(collected.output)")
        #expect(try local.lps(["undelete"]).output.hasPrefix("undeleted \(keys.count - selected.count) keys"))
        #expect(try names(in: local) == Set(keys.keys).subtracting(selected))
    }

    @Test(arguments: cases)
    func `An export has the selected keys, and no others`(options: [String], selected: Set<String>) throws {
        let exported = try local.start(["export"] + options)
        #expect(exported.wait() == 0)
        let other = try LocalStore()
        #expect(try other.start(["import"], input: exported.logPath).wait() == 0)
        #expect(try names(in: other) == selected)
    }

    @Test(arguments: cases)
    func `A copy has the selected keys, and no others`(options: [String], selected: Set<String>) throws {
        let other = try LocalStore()
        let copied = try run(Project.binary("lps"), ["copy", local.path, other.path] + options)
        #expect(copied.status == 0, "\(copied.output)")
        #expect(try names(in: other) == selected)
    }

    @Test(arguments: cases)
    func `Sums and lists are of the selected keys, and no others`(options: [String], selected: Set<String>) throws {
        let listed = try local.lps(["ls"] + options).output.split(separator: "\n")
        let expected = Set(try selected.map { "\(try #require(keys[$0]))" })
        #expect(Set(listed.compactMap { $0.split(separator: " ").last.map(String.init) }) == expected)
        let rows = try local.lps(["du", "--json"] + options).output.split(separator: "\n").map { line in
            try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
        #expect(rows.compactMap { $0["payloads"] as? Int }.reduce(0, +) == selected.count)
        let prefixes = Set(rows.compactMap { $0["prefix"] as? String })
        #expect(prefixes == Set(selected.map { $0 == "other" ? "team/1b" : $0 }))
    }
}
