import DiskStore
import Foundation
import PayloadKey
import TestSupport
import Testing

/// `lps gc --keep-trash`, and `lps undelete`.
@Suite(.runLimit) struct TrashCommandTests {
    private let fixture: DiskFixture
    private let content = randomPayload(5_000)

    init() throws { fixture = try DiskFixture() }

    private func diskBytes() throws -> Int {
        try jsonLines(fixture.lps("du", "--json")).compactMap { $0["diskBytes"] as? Int }.reduce(0, +)
    }

    @Test func `What is kept in the trash is not given, takes its space, and can be given back`() throws {
        let key = try fixture.put(content, days: 3)
        let before = try diskBytes()
        let collected = try fixture.lps("gc", "--older-than", "2d", "--keep-trash", "3d")
        #expect(
            collected.output.hasPrefix("deleted 1 keys of 4.9 KiB to the trash, 0 keys of the trash, and 0 contents;")
        )
        #expect(try fixture.lps("get", "\(key)").status == 1)
        #expect(try diskBytes() == before, "the trash takes what the key took")
        let sums = try jsonLines(fixture.lps("du", "--json"))
        #expect(sums.count == 1 && sums[0]["isInTrash"] as? Bool == true && sums[0]["namespace"] as? String == "ns")
        #expect(try fixture.lps("du").output.contains("ns (trash)"))
        #expect(try fixture.lps("scrub", "--repair").status == 0, "the trash is nothing to mend")

        let listed = try fixture.lps("undelete", "--dry-run")
        #expect(listed.status == 0 && listed.lines.count == 2)
        #expect(listed.lines[0].hasPrefix("   4.9 KiB  20") && listed.lines[0].hasSuffix("Z  \(key)"))
        #expect(listed.lines[1] == "would undelete 1 keys of 4.9 KiB")
        #expect(try fixture.lps("get", "\(key)").status == 1)
        let undeleted = try fixture.lps("undelete", "\(key)")
        #expect(undeleted.status == 0 && undeleted.output == "undeleted 1 keys of 4.9 KiB\n")
        #expect(try fixture.lps("get", "\(key)").bytes == content)
        let again = try fixture.lps("gc", "--older-than", "2d")
        #expect(again.output.hasPrefix("deleted 0 keys"), "its age counts anew")
        let gone = try fixture.lps("undelete", "\(key)")
        #expect(gone.status == 1 && gone.errors == "lps: \(key) is not in the trash\n")
        #expect(gone.output == "undeleted 0 keys of 0 B\n")
    }

    @Test func `JSON has a line for each key, and no other`() throws {
        let key = try fixture.put(content)
        try fixture.moveToTrash(key, days: 1)
        for options in [["--dry-run"], []] {
            let rows = try jsonLines(fixture.lps(["undelete", "--json"] + options))
            #expect(rows.count == 1 && Set(rows[0].keys) == ["key", "size", "deleted"])
            #expect(rows[0]["key"] as? String == "\(key)" && rows[0]["size"] as? Int == 5_000)
        }
        #expect(try fixture.lps("undelete", "--json").bytes.isEmpty)
    }

    @Test func `The trash is purged of what is there for longer than asked, and emptied by 0d`() throws {
        try fixture.moveToTrash(fixture.put(content), days: 4)
        try fixture.moveToTrash(fixture.put(randomPayload(100)), days: 2)
        let gc = ["gc", "--older-than", "2d"]
        #expect(try fixture.lps(gc).output == "deleted 0 keys of 0 B, and 0 contents; 0 B of the disk\n")
        let purge = gc + ["--keep-trash", "3d"]
        for options in [["--dry-run"], []] {
            let purged = try fixture.lps(purge + options).output
            #expect(purged.contains(", 1 keys of the trash, and 1 contents; 8.0 KiB"), "\(purged)")
        }
        #expect(try fixture.trashCount() == 1)
        try fixture.put([1], days: 3)
        let emptied = try fixture.lps(gc + ["--keep-trash", "0d"])
        #expect(emptied.output.hasPrefix("deleted 1 keys of 1 B, 1 keys of the trash, and 2 contents; "))
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(fixture.store.path)/trash").isEmpty)
        #expect(try fixture.store.measureUsage().objects == 0)
    }

    @Test func `A payload that is stored again needs no undeletion, and its trash is purged alone`() throws {
        let key = try fixture.put(content)
        try fixture.moveToTrash(key, days: 2)
        try fixture.put(content)
        let result = try fixture.lps("gc", "--older-than", "2d", "--keep-trash", "1d")
        #expect(result.output.hasSuffix(" to the trash, 1 keys of the trash, and 0 contents; 0 B of the disk\n"))
        #expect(try fixture.get(key) == content)
    }

    @Test func `Damaged and lost content is not given back, and is told of`() throws {
        let keys = try [content, randomPayload(200), randomPayload(100)].map { try fixture.put($0) }
        try fixture.damage(keys[0])
        unlink(fixture.object(of: keys[1]))
        for key in keys { try fixture.moveToTrash(key, days: 0) }
        #expect(try fixture.lps("undelete", "--dry-run").output.contains("      lost  20"))
        let result = try fixture.lps("undelete")
        #expect(result.status == 1 && result.output == "undeleted 1 keys of 100 B\n")
        for key in keys.prefix(2) { #expect(result.errors.contains("lps: \(key) is not undeleted: ")) }
        #expect(try fixture.keys() == [keys[2]])
    }

    @Test func `A key and a selection exclude each other, and a key is one`() throws {
        let key = "\(try fixture.key([]))"
        for arguments in [["--namespace", "ns", key], ["--prefix", "p", key], ["no key"]] {
            #expect(try fixture.lps(["undelete"] + arguments).status == 64)
        }
    }
}
