import DiskStore
import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// What `lps scrub` finds and repairs in a store on a disk.
@Suite(.runLimit) struct ScrubCommandTests {
    private let disk: TestStore

    init() throws { disk = try TestStore(isInMemory: true) }

    @Test func `A scrub reports the remains of a crash, and --repair repairs them`() throws {
        let key = try disk.put(randomPayload(5_000))
        let orphan = try disk.put(randomPayload(300))
        unlink(disk.keyFile(orphan))
        let lost = try disk.put(randomPayload(200))
        unlink(disk.objectFile(lost.digest))
        let modified = disk.objectFile(try disk.put(randomPayload(100)).digest)
        chmod(modified, 0o666)
        try write([1], to: disk.file("no\nte"))

        for isRepairing in [false, true] {
            let rows = try jsonLines(disk.lps("scrub", "--json", isRepairing ? "--repair" : "--since-last"))
            #expect(
                rows.compactMap { $0["kind"] as? String }.sorted()
                    == ["keyWithoutContent", "stray", "unreferencedContent", "wrongMode"]
            )
            // Only an upload restores lost content.
            for row in rows {
                let kind = try #require(row["kind"] as? String)
                let isLasting = ["keyWithoutContent", "stray"].contains(kind)
                #expect(row["mended"] as? Bool == (isRepairing && !isLasting), "\(row)")
                #expect((row["remedy"] != nil) == (isRepairing && !isLasting), "\(row)")
                #expect(row["path"] is String && row["reason"] is String && row["digest"] == nil, "\(row)")
            }
        }
        #expect(!FileManager.default.fileExists(atPath: disk.objectFile(orphan.digest)))
        let rest = try disk.lps("scrub", "--repair")
        #expect(rest.status == 1 && rest.output.contains("stray: no\\nte "), "\(rest.output)")
        #expect(rest.output.contains("key without content: keys/") && rest.lines.count == 3)
        #expect(rest.lines.last?.contains("0 damaged, 2 other findings, 0 repaired") == true)
        unlink(disk.file("no\nte"))
        #expect(try disk.lps("rm", "\(lost)").status == 0)
        #expect(try disk.lps("scrub").status == 0)
        #expect(try disk.get(key)?.count == 5_000)
    }

    @Test func `A missing folder is reported and stops the scrub, and --repair creates it`() throws {
        try disk.put([1])
        rmdir(disk.file("quarantine"))
        let found = try disk.lps("scrub")
        #expect(found.status == 1 && found.output.hasPrefix("missing: quarantine"))
        #expect(found.errors.contains("no folder quarantine/"), "\(found.errors)")
        let repaired = try disk.lps("scrub", "--repair")
        #expect(repaired.status == 1 && repaired.output.contains("0 damaged, 1 other findings, 1 repaired"))
        #expect(try disk.lps("scrub").status == 0)
    }

    @Test func `Without the folder of keys, content is not swept as unreferenced`() throws {
        let key = try disk.put([1])
        try FileManager.default.removeItem(atPath: disk.file("keys"))
        let repaired = try disk.lps("scrub", "--repair")
        #expect(repaired.status == 1 && repaired.output.hasPrefix("missing: keys"), "\(repaired.output)")
        #expect(FileManager.default.fileExists(atPath: disk.objectFile(key.digest)))
    }

    @Test func `Damaged content is reported with its keys, its trashed keys and its quarantine file`() throws {
        let content = randomPayload(100)
        let keys = try ["a", "b"].map { try disk.put(content, $0) }
        try disk.moveToTrash(keys[1], days: 0)
        try disk.harm(keys[0].digest)
        let row = try #require(jsonLines(disk.lps("scrub", "--json")).first)
        #expect(row["kind"] as? String == "damaged" && row["mended"] as? Bool == true)
        #expect(row["digest"] as? String == "\(keys[0].digest)")
        #expect(row["keys"] as? [String] == ["\(keys[0])"] && row["trashed"] as? [String] == ["\(keys[1])"])
        let quarantine = try #require(row["quarantine"] as? String)
        #expect(files(below: disk.path).contains(quarantine), "\(quarantine)")
    }

    @Test func `A scrub with --since-last names the scrub it relies on`() throws {
        try disk.put(randomPayload(1_000))
        let first = try disk.lps("scrub", "--since-last")
        #expect(first.output.hasPrefix("read 1 files, 1000 B: "))
        #expect(first.output.hasSuffix("; read everything, because no complete scrub is recorded\n"))
        let second = try disk.lps("scrub", "--since-last")
        #expect(second.output.contains("; skipped files unchanged since 20"), "\(second.output)")
        #expect(second.output.contains("Z, last full scrub 20"), "\(second.output)")
        #expect(try disk.lps("scrub").output.hasSuffix(" repaired\n"))
    }

    @Test func `A scrub obeys its rate, from the option or the setting`() throws {
        for _ in 0..<4 { try disk.put(randomPayload(1 << 18)) }
        // Not faster. A slow machine may take longer; RateLimitTests measure the rate.
        for (options, settings) in [(["--rate", "8m"], [:]), ([], ["LPS_SCRUB_RATE": "8m"])] {
            let start = ContinuousClock.now
            #expect(try disk.lps(["scrub"] + options, settings: settings).status == 0)
            #expect(ContinuousClock.now - start >= .milliseconds(100))
        }
        for rate in ["0", "", "m", "1t", "-1", "1.5m", "99999999999g"] {
            #expect(try disk.lps("scrub", "--rate=\(rate)").status == 64)
        }
        let wrong = try disk.lps(["scrub"], settings: ["LPS_SCRUB_RATE": "fast"])
        #expect(wrong.status == 78 && wrong.errors == "lps: LPS_SCRUB_RATE is 'fast', expected a size like 50m\n")
    }
}
