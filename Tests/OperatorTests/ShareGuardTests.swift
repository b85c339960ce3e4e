import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// `lps gc` deletes at most a share of a large namespace.
@Suite(.runLimit) struct ShareGuardTests {
    private let disk: TestStore

    init() throws { disk = try TestStore(isInMemory: true) }

    /// Adds `count` keys of an age to namespace `ns`: links to the first key's empty file.
    private func fill(_ count: Int, prefix: String? = nil, days: Double) throws {
        let content = randomPayload(100)
        let first = disk.keyFile(try disk.put(content, prefix: prefix, days: days))
        for index in 1..<max(count, 1) {
            let key = disk.keyFile(try payloadKey(content, prefix: prefix, metadata: "\(index)"))
            try #require(link(first, key) == 0)
        }
    }

    /// Keys of namespace `ns`, and how many are deleted; `nil` if gc refuses, and only a dry run counts them.
    struct Case {
        var team = 0
        let old, young: Int
        var options: [String] = []
        let deleted: Int?
    }

    @Test(arguments: [
        Case(old: 502, young: 501, deleted: nil), Case(old: 501, young: 501, deleted: 501),
        Case(old: 1_000, young: 1, deleted: nil), Case(old: 999, young: 1, deleted: 999),
        // The share counts all keys of the namespace.
        Case(team: 1_001, old: 1, young: 1_000, options: ["--namespace", "ns", "--prefix", "team"], deleted: 1_001),
        Case(team: 600, old: 1, young: 500, options: ["--namespace", "ns", "--prefix", "team"], deleted: nil),
        Case(team: 600, old: 1, young: 500, options: ["--prefix", "team"], deleted: nil),
        Case(old: 801, young: 200, options: ["--max-share", "80"], deleted: nil),
        Case(old: 801, young: 200, options: ["--keep-trash", "7d"], deleted: nil),
        Case(old: 801, young: 200, options: ["--max-share", "81"], deleted: 801),
        Case(old: 1_001, young: 1, options: ["--max-share", "100"], deleted: 1_001),
    ])
    func `If over half of a large namespace's keys expired, gc deletes nothing in any namespace`(given: Case) throws {
        if given.team > 0 { try fill(given.team, prefix: "team", days: 31) }
        try fill(given.old, days: 31)
        try fill(given.young, days: 1)
        try disk.put([1], "small", prefix: "other", days: 31)
        let selected = given.team > 0 ? given.team : given.old
        let small = given.options.contains("--prefix") ? 0 : 1
        let before = files(below: disk.path)
        let gc = ["gc", "--older-than", "30d"] + given.options
        let dry = try disk.lps(gc + ["--dry-run"])
        #expect(dry.status == 0 && dry.output.hasPrefix("would delete \(selected + small) keys"))
        #expect(files(below: disk.path) == before)
        let collected = try disk.lps(gc)
        guard let deleted = given.deleted else {
            let keys = given.team + given.old + given.young
            let refusal = "\(selected) of the \(keys) keys of namespace 'ns' are older than 30d, more than"
            #expect(collected.status == 1 && collected.bytes.isEmpty)
            #expect(collected.errors.contains(refusal) && collected.errors.split(separator: "\n").count == 1)
            #expect(collected.errors.hasSuffix("%: nothing is deleted; use --max-share 100 if you mean it\n"))
            #expect(dry.errors.contains(refusal) && dry.errors.contains("nothing would be deleted without --max-share"))
            #expect(files(below: disk.path) == before)
            return
        }
        #expect(dry.errors.isEmpty)
        #expect(collected.status == 0 && collected.output.hasPrefix("deleted \(deleted + small) keys"))
    }
}
