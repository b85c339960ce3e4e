import DiskStore
import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

/// Backups: plain copies of a store's files, and the commands in the guide.
@Suite(.serialized, .runLimit) struct CopiedStoreTests {
    @Test(arguments: [
        ["cp", "-r", "from", "to"], ["cp", "-a", "from", "to"], ["rsync", "-r", "from/", "to/"],
        ["rsync", "-a", "from/", "to/"], ["sh", "-c", "mkdir to && tar -cf - -C from . | tar -xf - -C to"],
    ])
    func `A plain copy of a store is a store`(command: [String]) throws {
        let local = try TestStore()
        let shared = randomPayload(5000)
        let keys = try [local.put(shared), local.put(shared, "other", prefix: "team/1b")]
        let old = try local.put(randomPayload(100), "trashed")
        try local.moveToTrash(old, days: 3)
        let replaced = command.map { word in
            word.replacingOccurrences(of: #"\bfrom\b"#, with: local.path, options: .regularExpression)
                .replacingOccurrences(of: #"\bto\b"#, with: local.folder.file("copy"), options: .regularExpression)
        }
        let copied = try run("sh", ["-c", "umask 027; exec \"$@\"", "sh"] + replaced)
        try #require(copied.status == 0, "\(copied.output)")

        let copy = try TestStore(at: local.folder.file("copy"))
        #expect(try copy.lps(["scrub"]).status == 0)
        for key in keys {
            #expect(try copy.get(key) == shared)
            #expect(try copy.commit(shared, as: key) == .existed)
        }
        let new = try copy.put(randomPayload(100), "new")
        #expect(try copy.lps(["undelete"]).output.hasPrefix("restored 1 keys"))
        #expect(try copy.lps(["gc", "--older-than", "2d"]).status == 0)
        #expect(try copy.keys() == Set(keys + [old, new]))
        #expect(try copy.lps(["scrub"]).status == 0)
    }

    // MARK: The guide's backup

    /// The command blocks in the guide's section: backup, repair, restore.
    private func guideCommands() throws -> [String] {
        let blocks = try Project.blocks("sh", in: "docs/operations.md", section: "Backup")
        #expect(blocks.count == 3)
        return blocks
    }

    /// Runs a block of the guide on the test's folders, without systemctl and apt-get.
    private func runGuide(_ block: String, _ local: TestStore, _ backup: String) throws -> (
        status: Int32, output: String
    ) {
        let lines = block.split(separator: "\n").filter { !$0.hasPrefix("systemctl ") && !$0.hasPrefix("apt-get ") }
        let script = lines.joined(separator: "\n")
            .replacingOccurrences(of: "runuser -u www-data -- lps ", with: "\(Project.binary("lps")) ")
            .replacingOccurrences(of: "/var/lib/lps", with: local.path)
            .replacingOccurrences(of: "/backup/lps", with: backup)
        #expect(!script.contains("/var/") && !script.contains("runuser"))
        return try run("bash", ["-ec", script])
    }

    /// Simulates bit rot: flips a bit of an object, and keeps its times.
    private func rot(_ digest: Digest, in disk: TestStore) throws {
        let path = disk.objectFile(digest)
        var status = stat()
        #expect(stat(path, &status) == 0)
        try disk.harm(digest)
        #expect(utimensat(AT_FDCWD, path, [status.st_atim, status.st_mtim], 0) == 0)
    }

    @Test(arguments: ["copy", "restore", "restore to a new disk", "restore without a scrub", "cut short"])
    func `The guide's backup restores every payload after bit rot and another backup`(way: String) throws {
        let local = try TestStore()
        let backup = local.folder.file("backup")
        let (backUp, copy, restore) = try { ($0[0], $0[1], $0[2]) }(guideCommands())
        func succeed(_ block: String) throws {
            let ended = try runGuide(block, local, backup)
            #expect(ended.status == 0, "\(ended.output)")
        }
        var contents: [PayloadKey: [UInt8]] = [:]
        for index in 0..<6 {
            let content = randomPayload(20_000 + index)
            contents[try local.put(content, "ns-\(index % 2)")] = content
        }
        let gone = try local.put(randomPayload(500), "ns-0")
        try succeed(backUp)
        let keys = contents.keys.sorted { $0.digest.hex < $1.digest.hex }
        let victims = keys.prefix(3)
        for key in victims {
            // Damage after a crash: rsync copies such a file because its size differs.
            if way == "cut short" { try local.harm(key.digest, .truncation) } else { try rot(key.digest, in: local) }
        }
        #expect(try local.lps(["rm", "\(gone)"]).status == 0)
        if way != "restore without a scrub" {
            let scrub = try local.lps(["scrub"])
            #expect(scrub.status == 1 && scrub.output.contains("3 damaged"), "\(scrub.output)")
        }
        let late = randomPayload(700)
        contents[try local.put(late, "ns-1")] = late
        try succeed(backUp)
        try succeed(backUp)
        #expect(!files(below: backup).contains { $0.hasSuffix(gone.digest.hex) }, "a backup drops deleted objects")
        switch way {
        case "copy", "cut short":
            try succeed(copy)
        case "restore to a new disk":
            try FileManager.default.removeItem(atPath: local.path)
            mkdir(local.path, 0o750)
            try succeed(restore)
        default:
            try succeed(restore)
        }
        let restored = try TestStore(at: local.path)
        #expect(try restored.keys() == Set(contents.keys))
        for (key, content) in contents { #expect(try restored.get(key) == content) }
        #expect(try local.lps(["scrub"]).status == 0)
    }

    @Test func `The guide's backup detects bit rot in the backup, and the next run repairs it`() throws {
        let local = try TestStore()
        let backup = local.folder.file("backup")
        let backUp = try guideCommands()[0]
        let key = try local.put(randomPayload(20_000), "ns")
        #expect(try runGuide(backUp, local, backup).status == 0)
        try rot(key.digest, in: TestStore(at: backup))
        let found = try runGuide(backUp, local, backup)
        #expect(found.status == 1 && found.output.contains("1 damaged"), "\(found.output)")
        #expect(try runGuide(backUp, local, backup).status == 0)
        #expect(try run(Project.binary("lps"), ["stat", "--store", backup, "\(key)"]).status == 0)
    }
}
