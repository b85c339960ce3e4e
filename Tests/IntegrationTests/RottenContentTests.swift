import Foundation
import PayloadKey
import StoreSupport
import TestSupport
import Testing

/// Uploads of content that has rotted on the disk.
@Suite(.serialized, .runLimit) struct RottenContentTests {
    private let local: TestStore
    private let content = randomPayload(70_000)
    private let file: String

    init() throws {
        local = try TestStore()
        file = local.folder.file("file")
        try write(content, to: file)
    }

    @Test func `A payload that is stored while a scrub takes its rotten content away stays`() throws {
        let keys = try [local.put(content, "ns"), local.put(content, "other", prefix: "a/b")]
        try local.harm(content)
        let object = local.objectFile(keys[0].digest)
        // The scrub looks for the keys of what it has moved, when it has moved it: each look takes its time.
        let slow = [
            "strace", "-f", "-o", local.folder.file("trace"), "-P", "keys", "-P", local.file("keys"), "-e",
            "trace=openat2", "-e", "inject=openat2:delay_enter=2000000",
        ]
        let scrub = try local.start(["scrub"], by: slow)
        try eventually("the scrub has moved it") { !FileManager.default.fileExists(atPath: object) }
        #expect(scrub.isRunning)
        #expect(try local.lps(["put", file, "--namespace", "ns"]).status == 0)
        #expect(scrub.isRunning, "the upload came between")
        #expect(scrub.wait() == 1, "\(scrub.log)")
        #expect(scrub.log.contains("damaged: objects/"), "\(scrub.log)")
        for key in keys { #expect(try local.get(key) == content) }

        #expect(try local.lps(["scrub", "--repair"]).status == 0)
        #expect(try local.lps(["gc", "--older-than", "2d"]).status == 0)
        for key in keys { #expect(try local.get(key) == content) }
        #expect(files(below: local.file("quarantine")).count == 1)
    }

    @Test func `An upload over rotten content of the same size replaces it, and the rotten bytes are kept apart`()
        throws
    {
        let key = try local.put(content, "ns")
        let other = try local.put(content, "other")
        try local.harm(content)
        let rotten = try contents(of: local.objectFile(key.digest))
        let put = try local.lps(["put", file, "--namespace", "ns"])
        #expect(put.status == 0 && put.output.hasSuffix("\(key)\n"), "\(put.output)")
        for key in [key, other] { #expect(try local.get(key) == content) }
        let quarantined = files(below: local.file("quarantine"))
        #expect(quarantined.count == 1 && quarantined[0].hasPrefix("\(key.digest.hex)."))
        #expect(try contents(of: local.file("quarantine/\(quarantined[0])")) == rotten)
        #expect(try local.lps(["scrub"]).status == 0)
    }

    /// Also where nginx keeps open files (`open_file_cache`).
    @Test(arguments: [Stack.Variant.disk, .plainDisk, .unfriendlyDisk])
    func `A service answers an upload over rotten content only with the right bytes`(variant: Stack.Variant) throws {
        let stack = try Stack(variant)
        let key = try stack.store(content)
        for harm in ["rot", "cut", "folder"] {
            let object = try stack.object(of: key)
            chmod(object, 0o640)
            switch harm {
            case "rot":
                let handle = try #require(FileHandle(forUpdatingAtPath: object))
                try handle.seek(toOffset: 69_999)
                try handle.write(contentsOf: [content[69_999] ^ 1])
                try handle.close()
            case "cut": #expect(truncate(object, 100) == 0)
            default: #expect(unlink(object) == 0 && mkdir(object, 0o750) == 0)
            }
            #expect(try stack.put(content).status == 200, "\(harm)")
            let isWhole = try stack.get(key, length: content.count).body == content
            #expect(isWhole, "\(harm)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(stack.store)/quarantine").count == 3)
        #expect(stack.workerLog.components(separatedBy: "damaged content is replaced by a verified upload").count == 4)
        try stack.expectNothingIncoming()
    }
}
