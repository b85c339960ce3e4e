import DiskStore
import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

/// What `lps gc` prints, and when it refuses.
@Suite(.runLimit) struct CollectionCommandTests {
    private let disk: TestStore
    private let content = randomPayload(1_000)

    init() throws { disk = try TestStore(isInMemory: true) }

    @Test func `A dry run shows what it would delete per namespace, and with --list each key`() throws {
        let gone = try [
            disk.put(content, "short", days: 3), disk.put(randomPayload(1_000), "short", days: 9),
            disk.put(content, "long", days: 40),
        ]
        let kept = try disk.put([1], "long", days: 1)
        let trashed = try disk.put([2], "short")
        try disk.moveToTrash(trashed, days: 5)
        let command = ["gc", "--older-than", "2d", "--keep-trash", "4d", "--dry-run"]
        let shown = try disk.lps(command)
        #expect(shown.status == 0 && shown.errors.isEmpty)
        let sum = "3 keys (2.9 KiB) to the trash, purge 1 keys, sweep 1 objects, free 4.0 KiB"
        #expect(shown.output.hasPrefix("would delete \(sum)\n"), "\(shown.output)")
        let table = shown.lines.dropFirst().map { $0.split(separator: " ", omittingEmptySubsequences: true) }
        #expect(table[0] == ["NAMESPACE", "KEYS", "SIZE", "OLDEST", "PURGED"])
        #expect(table[1].starts(with: ["long", "1", "1000", "B"]) && table[1].last == "0")
        #expect(table[2].starts(with: ["short", "2", "2.0", "KiB"]) && table[2].last == "1")
        let oldest = Date(timeIntervalSinceNow: -9 * 86_400).ISO8601Format().prefix(10)
        #expect(table[2][4].hasPrefix(oldest))

        let listed = try disk.lps(command + ["--list"])
        for key in gone { #expect(listed.output.contains("    1000 B  20") && listed.output.contains("Z  \(key)\n")) }
        #expect(listed.output.contains("Z  \(trashed) (trash)\n") && !listed.output.contains("\(kept)"))
        #expect(listed.output.hasSuffix(shown.output))
        #expect(try disk.keys() == Set(gone + [kept]))

        let rows = try jsonLines(disk.lps(command + ["--list", "--json"]))
        #expect(Set(rows.compactMap { $0["key"] as? String }) == Set((gone + [trashed]).map(\.description)))
        #expect(rows.filter { $0["isInTrash"] as? Bool == true }.map { $0["key"] as? String } == ["\(trashed)"])
        let total = try #require(rows.last)
        let fields = ["keys": 3, "logicalBytes": 3_000, "purgedKeys": 1, "contents": 1, "freedBytes": 4_096]
        #expect(fields.allSatisfy { total[$0.key] as? Int == $0.value }, "\(total)")
        #expect(Set(total.keys) == Set(fields.keys).union(["namespaces"]))
        let sums = try #require(total["namespaces"] as? [[String: Any]])
        #expect(sums.map { $0["namespace"] as? String } == ["long", "short"])
        #expect(sums.map { $0["keys"] as? Int } == [1, 2] && sums.map { $0["purgedKeys"] as? Int } == [0, 1])
        #expect(sums.map { $0["logicalBytes"] as? Int } == [1_000, 2_000])
        #expect((sums[1]["oldest"] as? String)?.hasPrefix(oldest) == true)
    }

    @Test func `A collection prints no table, and --list names each key it deletes`() throws {
        let old = try disk.put(content, days: 3)
        let collected = try disk.lps("gc", "--older-than", "2d", "--list")
        #expect(collected.lines.count == 2 && collected.lines[0].hasSuffix("Z  \(old)"))
        #expect(collected.lines[1] == "deleted 1 keys (1000 B), swept 1 objects, freed 4.0 KiB")
        try disk.put(content, days: 3)
        let json = try jsonLines(disk.lps("gc", "--older-than", "2d", "--json"))
        #expect(json.count == 1 && json[0]["freedBytes"] as? Int == 4_096)
    }

    // MARK: The clock and the lock

    private func day(_ days: Double) -> Substring {
        Date(timeIntervalSinceNow: days * 86_400).ISO8601Format().prefix(10)
    }

    @Test(
        arguments: [
            (-1, "a worker recorded"), (60, "the last time recorded by a worker is"), (nil, ""),
        ] as [(Double?, String)]
    )
    func `If clock and recorded time disagree, gc refuses and names both, and --force trusts the clock`(
        days: Double?,
        recorded: String
    ) throws {
        let key = try disk.put(content, days: 100)
        let clock = disk.file("clock")
        if let days { disk.setAge(clock, seconds: Int(days * 86_400)) } else { unlink(clock) }
        let gc = ["gc", "--older-than", "45d"]
        #expect(try disk.lps(gc + ["--force", "--dry-run"]).output.hasPrefix("would delete 1 keys"))
        for options in [[], ["--dry-run"]] {
            let refused = try disk.lps(gc + options)
            #expect(refused.status == 1 && refused.bytes.isEmpty, "a dry run records nothing")
            #expect(refused.errors.split(separator: "\n").count == 1, "\(refused.errors)")
            #expect(refused.errors.contains("nothing is deleted. Set the clock, or use --force if it is right"))
            guard let days else { continue }
            #expect(refused.errors.contains("\(recorded) \(day(-days))T"), "\(refused.errors)")
            #expect(refused.errors.contains("the system clock says \(day(0))T"), "\(refused.errors)")
        }
        #expect(try disk.get(key) == content)
        let forced = try disk.lps(gc + ["--force"])
        #expect(forced.status == 0 && forced.output.hasPrefix("deleted 1 keys"), "\(forced.errors)")
        #expect(try disk.lps(gc).status == 0, "its time is now the recorded one")
    }

    @Test func `While another process collects garbage, gc fails and names it, and rm and scrub do not sweep`() throws {
        let key = try disk.put(content)
        let who = "garbage collection lock held by process \(getpid()), try again later"
        let collector = try disk.store.collector()
        let collection = try disk.tool.run(["gc", "--older-than", "2d"])
        #expect(collection.status == 1 && collection.errors.hasSuffix("\(who)\n"), "\(collection.errors)")
        #expect(collection.errors.split(separator: "\n").count == 1)
        let scrub = try disk.tool.run(["scrub"])
        #expect(scrub.status == 0, "the rest is checked: \(scrub.output)")
        #expect(scrub.errors == "lps: unreferenced content is not searched for: \(who)\n")
        let deletion = try disk.tool.run(["rm", "\(key)"])
        #expect(deletion.status == 0)
        #expect(deletion.errors == "lps: the keys are deleted, the next collection deletes their content: \(who)\n")
        #expect(try disk.keys().isEmpty && disk.store.measureUsage().objects == 1)
        withExtendedLifetime(collector) {}
    }
}
