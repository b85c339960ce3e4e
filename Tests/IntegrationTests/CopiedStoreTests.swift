import DiskStore
import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

/// Backups: a plain copy of a store's files is a store, and one of another format is refused.
@Suite(.serialized, .runLimit) struct CopiedStoreTests {
    @Test(arguments: [
        ["cp", "-r", "from", "to"], ["cp", "-a", "from", "to"], ["rsync", "-r", "from/", "to/"],
        ["rsync", "-a", "from/", "to/"], ["sh", "-c", "mkdir to && tar -cf - -C from . | tar -xf - -C to"],
    ])
    func `A plain copy of a store is a store`(command: [String]) throws {
        let stack = try Stack(.plain)
        let shared = randomPayload(5000)
        let keys = try [stack.store(shared), stack.store(shared, namespace: "other", prefix: "team/1b")]
        let old = try stack.store(randomPayload(100), namespace: "trashed")
        try stack.makeOld(old, seconds: 3 * 86_400)
        #expect(try stack.lps("gc", "--older-than", "2d", "--keep-trash", "3d").status == 0)

        let copy = stack.folder.file("copy")
        let replaced = command.map { word in
            word.replacingOccurrences(of: #"\bfrom\b"#, with: stack.store, options: .regularExpression)
                .replacingOccurrences(of: #"\bto\b"#, with: copy, options: .regularExpression)
        }
        let copied = try run("sh", ["-c", "umask 027; exec \"$@\"", "sh"] + replaced)
        try #require(copied.status == 0, "\(copied.output)")
        let scrub = try run(Project.binary("lps"), ["scrub", "--store", copy])
        #expect(scrub.status == 0, "\(scrub.output)")

        let victim = try Victim(stack, store: copy)
        for key in keys {
            let got = try victim.request(Stack.getParameters(key, length: shared.count))
            #expect(got.status == 200 && got.announced == shared.count, "\(got)")
        }
        #expect(try victim.put(shared, "default").status == 200, "it is there")
        #expect(try victim.put(randomPayload(100), "default").status == 201)
        let undeleted = try run(Project.binary("lps"), ["undelete", "--store", copy])
        #expect(undeleted.status == 0 && undeleted.output.hasPrefix("undeleted 1 keys"), "\(undeleted.output)")
        #expect(try run(Project.binary("lps"), ["gc", "--store", copy, "--older-than", "2d"]).status == 0)
        #expect(try run(Project.binary("lps"), ["scrub", "--store", copy]).status == 0)
    }

    // MARK: The guide's backup

    /// The blocks of commands of the guide's section, as they stand there: backup, repair, restore.
    private func guideCommands() throws -> [String] {
        let blocks = try Project.blocks("sh", in: "docs/operations.md", section: "Backup")
        #expect(blocks.count == 3)
        return blocks
    }

    /// Runs a block of the guide on other folders, without a service.
    private func runGuide(_ block: String, _ local: LocalStore, _ backup: String) throws -> (
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

    /// Flips a bit of a file, and nothing else that can be seen: bit rot.
    private func rot(_ path: String) throws {
        var status = stat()
        #expect(stat(path, &status) == 0)
        let file = open(path, O_RDWR | O_CLOEXEC)
        #expect(file >= 0 || geteuid() != 0)
        if file < 0 { chmod(path, 0o640) }
        let descriptor = file < 0 ? open(path, O_RDWR | O_CLOEXEC) : file
        defer { close(descriptor) }
        var byte: UInt8 = 0
        #expect(pread(descriptor, &byte, 1, 100) == 1)
        byte ^= 0x10
        #expect(pwrite(descriptor, &byte, 1, 100) == 1)
        var times = [status.st_atim, status.st_mtim]
        #expect(futimens(descriptor, &times) == 0)
        if file < 0 { chmod(path, status.st_mode & 0o777) }
    }

    @Test(arguments: ["copy", "restore", "restore to a new disk", "restore without a scrub", "cut short"])
    func `After the guide's backup, bit rot and another backup, every payload comes back`(way: String) throws {
        let local = try LocalStore()
        let backup = local.folder.file("backup")
        let (backUp, copy, restore) = try { ($0[0], $0[1], $0[2]) }(guideCommands())
        func succeed(_ block: String) throws {
            let ended = try runGuide(block, local, backup)
            #expect(ended.status == 0, "\(ended.output)")
        }
        func object(_ key: PayloadKey, in store: String) -> String {
            "\(store)/objects/\(key.digest.hex.prefix(2))/\(key.digest.hex)"
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
            // What a crashed disk leaves, rsync would copy for its size.
            if way == "cut short" {
                #expect(truncate(object(key, in: local.path), 10) == 0)
            } else {
                try rot(object(key, in: local.path))
            }
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
        #expect(!FileManager.default.fileExists(atPath: object(gone, in: backup)), "a backup does not grow for ever")
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
        let found = try local.lps(["ls"])
        #expect(found.output.split(separator: "\n").count == contents.count)
        for (key, content) in contents {
            let got = local.folder.file("got")
            let ended = try run("sh", ["-c", "\(Project.binary("lps")) get --store \(local.path) '\(key)' > \(got)"])
            #expect(ended.status == 0, "\(ended.output)")
            #expect(try Array(Data(contentsOf: URL(fileURLWithPath: got))) == content)
        }
        #expect(try local.lps(["scrub"]).status == 0)
    }

    @Test func `The guide's backup finds what has rotted in the backup, and the next one copies it again`() throws {
        let local = try LocalStore()
        let backup = local.folder.file("backup")
        let backUp = try guideCommands()[0]
        let key = try local.put(randomPayload(20_000), "ns")
        #expect(try runGuide(backUp, local, backup).status == 0)
        try rot("\(backup)/objects/\(key.digest.hex.prefix(2))/\(key.digest.hex)")
        let found = try runGuide(backUp, local, backup)
        #expect(found.status == 1 && found.output.contains("1 damaged"), "\(found.output)")
        #expect(try runGuide(backUp, local, backup).status == 0)
        #expect(try run(Project.binary("lps"), ["stat", "--store", backup, "\(key)"]).status == 0)
    }

    @Test func `A store of format 1 is refused with a line that says how to move it`() throws {
        let local = try LocalStore()
        let layout = "\(local.path)/layout.json"
        let json = try String(contentsOfFile: layout, encoding: .utf8)
        #expect(json.contains("\"version\":2"))
        try json.replacingOccurrences(of: "\"version\":2", with: "\"version\":1")
            .write(toFile: layout, atomically: true, encoding: .utf8)
        let worker = try run(
            Project.binary("lps-worker"),
            ["--store", local.path, "--listen", local.folder.file("socket")]
        )
        #expect(worker.status == 78)
        let file = local.folder.file("file")
        try write([1], to: file)
        let tools = try [
            ["ls"], ["scrub"], ["scrub", "--repair"], ["gc", "--older-than", "2d"], ["put", file, "--namespace", "ns"],
            ["init"],
        ].map { try local.lps($0) }
        for result in [worker] + tools {
            #expect(result.status != 0)
            #expect(result.output.split(separator: "\n").count == 1, "\(result.output)")
            #expect(
                result.output.contains("has format version 1, this version reads version 2")
                    && result.output.contains("'lps export'"),
                "\(result.output)"
            )
        }
        #expect(files(below: local.path).allSatisfy { !$0.hasPrefix("objects/") && !$0.hasPrefix("incoming/") })
    }
}
