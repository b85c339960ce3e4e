import Foundation
import TestSupport
import Testing

/// Uploads of content that is damaged on the disk while nginx has it open (`open_file_cache`). `DamagedContentTests`
/// covers the store's part.
@Suite(.runLimit) struct RottenContentTests {
    @Test func `After an upload replaces damaged content, downloads return the right bytes`() throws {
        let stack = try Stack(.unfriendlyDisk)
        let content = randomPayload(70_000)
        let key = try stack.store(content)
        for harm in ["rot", "cut", "folder"] {
            #expect(try stack.get(key, length: content.count).status == 200, "nginx has it open")
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
        #expect(stack.workerLog.components(separatedBy: "damaged content replaced by a verified upload").count == 4)
        try stack.expectNothingIncoming()
    }
}
