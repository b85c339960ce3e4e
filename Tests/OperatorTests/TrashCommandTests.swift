import DiskStore
import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// `lps gc --keep-trash` and `lps undelete`.
@Suite(.runLimit) struct TrashCommandTests {
    private let disk: TestStore
    private let content = randomPayload(5_000)

    init() throws { disk = try TestStore(isInMemory: true) }

    private func diskBytes() throws -> Int {
        try jsonLines(disk.lps("du", "--json")).compactMap { $0["diskBytes"] as? Int }.reduce(0, +)
    }

    @Test func `A payload in the trash cannot be read, takes its space and can be restored`() throws {
        let key = try disk.put(content, days: 3)
        let before = try diskBytes()
        let collected = try disk.lps("gc", "--older-than", "2d", "--keep-trash", "3d")
        #expect(
            collected.output.hasPrefix("deleted 1 keys (4.9 KiB) to the trash, purged 0 keys, swept 0 objects,")
        )
        #expect(try disk.lps("get", "\(key)").status == 1)
        #expect(try diskBytes() == before, "the trash takes the key's space")
        let sums = try jsonLines(disk.lps("du", "--json"))
        #expect(sums.count == 1 && sums[0]["isInTrash"] as? Bool == true && sums[0]["namespace"] as? String == "ns")
        #expect(try disk.lps("du").output.contains("ns (trash)"))
        #expect(try disk.lps("scrub", "--repair").status == 0, "the trash needs no repair")

        let listed = try disk.lps("undelete", "--dry-run")
        #expect(listed.status == 0 && listed.lines.count == 2)
        #expect(listed.lines[0].hasPrefix("   4.9 KiB  20") && listed.lines[0].hasSuffix("Z  \(key)"))
        #expect(listed.lines[1] == "would restore 1 keys (4.9 KiB)")
        #expect(try disk.lps("get", "\(key)").status == 1)
        let undeleted = try disk.lps("undelete", "\(key)")
        #expect(undeleted.status == 0 && undeleted.output == "restored 1 keys (4.9 KiB)\n")
        #expect(try disk.lps("get", "\(key)").bytes == content)
        let again = try disk.lps("gc", "--older-than", "2d")
        #expect(again.output.hasPrefix("deleted 0 keys"), "undelete renewed its age")
        let gone = try disk.lps("undelete", "\(key)")
        #expect(gone.status == 1 && gone.errors == "lps: \(key) is not in the trash\n")
        #expect(gone.output == "restored 0 keys (0 B)\n")
    }

    @Test func `undelete --json prints one line for each key and no others`() throws {
        let key = try disk.put(content)
        try disk.moveToTrash(key, days: 1)
        for options in [["--dry-run"], []] {
            let rows = try jsonLines(disk.lps(["undelete", "--json"] + options))
            #expect(rows.count == 1 && Set(rows[0].keys) == ["key", "size", "deleted"])
            #expect(rows[0]["key"] as? String == "\(key)" && rows[0]["size"] as? Int == 5_000)
        }
        #expect(try disk.lps("undelete", "--json").bytes.isEmpty)
    }

    @Test func `gc --keep-trash purges trash past that age, and 0d empties it`() throws {
        try disk.moveToTrash(disk.put(content), days: 4)
        try disk.moveToTrash(disk.put(randomPayload(100)), days: 2)
        let gc = ["gc", "--older-than", "2d"]
        #expect(try disk.lps(gc).output == "deleted 0 keys (0 B), swept 0 objects, freed 0 B\n")
        let purge = gc + ["--keep-trash", "3d"]
        for options in [["--dry-run"], []] {
            let purged = try disk.lps(purge + options).output
            #expect(
                purged.contains(
                    options.isEmpty
                        ? ", purged 1 keys, swept 1 objects, freed 8.0 KiB"
                        : ", purge 1 keys, sweep 1 objects, free 8.0 KiB"
                ),
                "\(purged)"
            )
        }
        #expect(try disk.trashed().count == 1)
        try disk.put([1], days: 3)
        let emptied = try disk.lps(gc + ["--keep-trash", "0d"])
        #expect(emptied.output.hasPrefix("deleted 1 keys (1 B), purged 1 keys, swept 2 objects, "))
        #expect(try FileManager.default.contentsOfDirectory(atPath: disk.file("trash")).isEmpty)
        #expect(try disk.store.measureUsage().objects == 0)
    }

    @Test func `A payload that is stored again needs no restore, and purging its trash keeps its content`() throws {
        let key = try disk.put(content)
        try disk.moveToTrash(key, days: 2)
        try disk.put(content)
        let result = try disk.lps("gc", "--older-than", "2d", "--keep-trash", "1d")
        #expect(result.output.hasSuffix(" to the trash, purged 1 keys, swept 0 objects, freed 0 B\n"))
        #expect(try disk.get(key) == content)
    }

    @Test func `Damaged and lost content is not restored, and its keys are named`() throws {
        let keys = try [content, randomPayload(200), randomPayload(100)].map { try disk.put($0) }
        try disk.harm(keys[0].digest)
        unlink(disk.objectFile(keys[1].digest))
        for key in keys { try disk.moveToTrash(key, days: 0) }
        #expect(try disk.lps("undelete", "--dry-run").output.contains("      lost  20"))
        let result = try disk.lps("undelete")
        #expect(result.status == 1 && result.output == "restored 1 keys (100 B)\n")
        for key in keys.prefix(2) { #expect(result.errors.contains("lps: \(key) is not restored: ")) }
        #expect(try disk.keys() == [keys[2]])
    }

    @Test func `undelete refuses a key with a selection, and an argument that is not a key`() throws {
        let key = "\(try payloadKey([]))"
        for arguments in [["--namespace", "ns", key], ["--prefix", "p", key], ["no key"]] {
            #expect(try disk.lps(["undelete"] + arguments).status == 64)
        }
    }
}
