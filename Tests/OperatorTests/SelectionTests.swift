import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// `--namespace` and `--prefix` limit a command to the keys that they select.
@Suite(.runLimit) struct SelectionTests {
    private let disk: TestStore
    /// Keys by their names in this suite.
    private var keys: [String: PayloadKey] = [:]
    private let content = payload(inShard: "1b")

    /// Stores keys whose prefixes look like the shard of their digests.
    init() throws {
        disk = try TestStore(isInMemory: true)
        for name in ["", "team", "team/1b", "team/1b/x", "team/1bc", "1b", "teams"] {
            keys[name] = try disk.put(content, prefix: name, metadata: name, days: 3)
        }
        keys["other"] = try disk.put(content, "other", prefix: "team/1b", days: 3)
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

    private func names(_ found: some Sequence<PayloadKey>) -> Set<String> {
        let found = Set(found)
        return Set(keys.filter { found.contains($0.value) }.keys)
    }

    private func others(_ selected: Set<String>) -> Set<String> { Set(keys.keys).subtracting(selected) }

    @Test(arguments: cases)
    func `gc deletes the selected keys and no others`(options: [String], selected: Set<String>) throws {
        let dry = try disk.lps(["gc", "--older-than", "2d", "--dry-run"] + options)
        #expect(dry.output.hasPrefix("would delete \(selected.count) keys"), "\(dry.output)")
        #expect(try names(disk.keys()) == Set(keys.keys))
        let collected = try disk.lps(["gc", "--older-than", "2d"] + options)
        #expect(collected.status == 0 && collected.output.hasPrefix("deleted \(selected.count) keys"))
        #expect(try names(disk.keys()) == others(selected))
        try disk.store.inspect { Issue.record("\($0)") }
    }

    @Test(arguments: cases)
    func `gc --keep-trash purges the trash of the selected keys and no others`(
        options: [String],
        selected: Set<String>
    ) throws {
        for key in keys.values { try disk.moveToTrash(key, days: 5) }
        let collected = try disk.lps(["gc", "--older-than", "2d", "--keep-trash", "1d", "--json"] + options)
        #expect(collected.output.contains("\"purgedKeys\":\(selected.count)"), "\(collected.output)")
        #expect(try names(disk.trashed().map(\.stored.key)) == others(selected))
    }

    @Test(arguments: cases)
    func `undelete restores the selected keys and no others`(options: [String], selected: Set<String>) throws {
        for key in keys.values { try disk.moveToTrash(key, days: 5) }
        let listed = try disk.lps(["undelete", "--dry-run"] + options)
        #expect(listed.output.hasSuffix("would restore \(selected.count) keys (\(size(selected.count)))\n"))
        #expect(try disk.keys().isEmpty)
        let undeleted = try disk.lps(["undelete"] + options)
        #expect(undeleted.status == 0)
        #expect(undeleted.output == "restored \(selected.count) keys (\(size(selected.count)))\n")
        #expect(try names(disk.keys()) == selected)
        #expect(try names(disk.trashed().map(\.stored.key)) == others(selected))
    }

    private func size(_ count: Int) -> String { "\(count * content.count) B" }

    @Test(arguments: cases)
    func `export and copy include the selected keys and no others`(options: [String], selected: Set<String>) throws {
        let (imported, copied) = (try TestStore(isInMemory: true), try TestStore(isInMemory: true))
        let exported = try disk.lps(["export"] + options)
        #expect(exported.status == 0)
        #expect(try imported.lps(["import"], input: exported.bytes).status == 0)
        #expect(try disk.lps(["copy", disk.path, copied.path] + options).status == 0)
        for other in [imported, copied] { #expect(try names(other.keys()) == selected) }
    }

    @Test(arguments: cases)
    func `ls and du show the selected keys and no others`(options: [String], selected: Set<String>) throws {
        let listed = try disk.lps(["ls"] + options).lines.map { $0.split(separator: " ").last.map(String.init) }
        #expect(Set(listed) == Set(selected.map { keys[$0]?.description }) && listed.count == selected.count)
        let rows = try jsonLines(disk.lps(["du", "--json"] + options))
        #expect(rows.compactMap { $0["payloads"] as? Int }.reduce(0, +) == selected.count)
        let prefixes = Set(rows.compactMap { $0["prefix"] as? String })
        #expect(prefixes == Set(selected.map { $0 == "other" ? "team/1b" : $0 }))
    }
}
