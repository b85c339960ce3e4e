import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import S3

/// What an engine may answer to an upload or a copy, and what is made of it.
@Suite(.runLimit) struct UploadFaultTests {
    private let key = Array("/k".utf8)
    private static let digest = [UInt8](repeating: 1, count: 32)

    // MARK: Answers

    @Test func `An engine without conditions gets the upload without one`() throws {
        let server = try ScriptedServer { _, request in
            request.headers["if-none-match"] == nil ? [.stored] : [.error(501, "NotImplemented")]
        }
        let client = try server.client()
        for _ in 0..<2 { #expect(try client.put(key, [1]) == .stored) }
        // With a checksum and no condition the third is stored, and so is each one from then on.
        #expect(server.requests.map { $0.headers["x-amz-checksum-sha256"] == nil } == [false, true, false, false])
    }

    @Test func `Only an answer with an ETag says that an upload is stored`() throws {
        let server = try ScriptedServer(.answer(200, [], "<html>Welcome</html>"))
        // With a condition, it is Swift's answer to an upload that another one has overtaken.
        #expect(try server.client().put(key, [1]) == .existed)
        #expect(try failure { try server.client().put(key, [1], onlyIfAbsent: false) }.code == .malformedAnswer)
    }

    @Test func `When an answer is lost and the next is 412, the object exists`() throws {
        let server = try ScriptedServer { number, _ in
            number == 0 ? [.takeBody, .reset] : [.error(412, "PreconditionFailed")]
        }
        #expect(try server.client().put(key, Array("payload".utf8)) == .existed)
        #expect(server.lines.count == 2)
    }

    @Test func `412 says that the object exists, also when the rest of the answer is cut`() throws {
        let server = try ScriptedServer { _, _ in [.send("HTTP/1.1 412 -\r\nContent-Length: 100\r\n\r\n<Err"), .close] }
        #expect(try server.client().put(key, Array("payload".utf8)) == .existed)
        #expect(server.lines.count == 1)
    }

    @Test func `412 for an upload without a condition is a refusal`() throws {
        let server = try ScriptedServer(.error(412, "PreconditionFailed"))
        #expect(try failure { try server.client().put(key, [1], onlyIfAbsent: false) }.code == .refused)
        #expect(server.requests.first?.headers["if-none-match"] == nil)
    }

    @Test func `An engine that says that it stored something else is not believed`() throws {
        let server = try ScriptedServer(.answer(200, ["ETag: x", "x-amz-checksum-sha256: AAAA"]))
        #expect(try failure { try server.client().put(key, [1]) }.code == .badDigest)
    }

    @Test func `A copy that fails behind its 200 is made again`() throws {
        let server = try ScriptedServer(
            .answer(200, [], "<Error><Code>InternalError</Code></Error>"),
            .answer(200, [], "  <CopyObjectResult><ETag>x</ETag></CopyObjectResult>")
        )
        #expect(try server.client().renew(key))
        #expect(server.lines.count == 2)
        let cut = try ScriptedServer(.answer(200, [], "<CopyObjectRes"))
        #expect(try failure { _ = try cut.client().renew(key) }.code == .malformedAnswer)
        let denied = try ScriptedServer(.answer(200, [], "<Error><Code>AccessDenied</Code></Error>"))
        #expect(try failure { _ = try denied.client().renew(key) }.code == .accessDenied)
    }

    // MARK: Requests

    @Test func `A large body waits for the engine to want it`() throws {
        let server = try ScriptedServer { _, _ in
            [.send("HTTP/1.1 412 -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), .close, .takeBody]
        }
        var pieces = 0
        let outcome = try server.client().put(key, randomPayload(3_000_000)) { pieces += 1 }
        #expect(outcome == .existed)
        #expect(pieces == 0)
        #expect(server.requests[0].headers["expect"] == "100-continue")
        // What is changed on the way is not signed.
        #expect(server.requests[0].headers["authorization"]?.contains("expect") == false)
    }

    @Test func `Only for a body of over a MiB is the engine asked whether it wants it`() throws {
        let server = try ScriptedServer(.stored)
        let client = try server.client()
        for size in [0, 1, 1 << 20, 1 << 20 + 1] { try client.put(key, [UInt8](repeating: 1, count: size)) }
        #expect(server.requests.map { $0.headers["expect"] } == [nil, nil, nil, "100-continue"])
        #expect(server.requests.map { $0.headers["content-length"] } == ["0", "1", "1048576", "1048577"])
    }

    @Test func `Storage class and encryption are asked for, of uploads and of copies`() throws {
        let server = try ScriptedServer { _, request in
            [request.headers["x-amz-copy-source"] == nil ? .stored : .answer(200, [], "<CopyObjectResult/>")]
        }
        let kmsKey = "arn:aws:kms:eu-west-1:1:key/a"
        let client = try server.client(options: "&storage-class=STANDARD_IA&sse=aws:kms&sse-kms-key-id=\(kmsKey)")
        try client.put(key, [1])
        #expect(try client.renew(key))
        for request in server.requests {
            #expect(request.headers["x-amz-storage-class"] == "STANDARD_IA")
            #expect(request.headers["x-amz-server-side-encryption"] == "aws:kms")
            #expect(request.headers["x-amz-server-side-encryption-aws-kms-key-id"] == kmsKey)
        }
        #expect(server.requests[1].headers["x-amz-copy-source"] == "/bucket//k")
        #expect(server.requests[1].headers["x-amz-metadata-directive"] == "REPLACE")
        #expect(server.requests[1].headers["content-length"] == "0")
    }

    // MARK: Files

    @Test func `A file that ends before its size is no upload`() throws {
        let server = try ScriptedServer(.stored)
        let error = try failure {
            _ = try withFile([1, 2, 3]) { file in
                try server.client().put(key, .file(file, size: 4), digest: Self.digest, onlyIfAbsent: true)
            }
        }
        #expect(error.code == .badDigest)
        #expect(error.description.hasSuffix("the file ended after 3 of 4 bytes"))
    }

    @Test func `A file that can't be read is the system's failure`() throws {
        let server = try ScriptedServer(.stored)
        let folder = open("/tmp", O_RDONLY | O_DIRECTORY)
        defer { close(folder) }
        #expect(throws: Errno.isDirectory) {
            try server.client().put(key, .file(folder, size: 4), digest: Self.digest, onlyIfAbsent: true)
        }
    }

    @Test func `A file's own position is neither used nor moved`() throws {
        let server = try ScriptedServer(.stored)
        try withFile(Array("0123456789".utf8)) { file in
            lseek(file, 4, SEEK_SET)
            _ = try server.client().put(key, .file(file, size: 6), digest: Self.digest, onlyIfAbsent: true)
            #expect(lseek(file, 0, SEEK_CUR) == 4)
        }
        #expect(server.requests[0].body == Array("012345".utf8))
    }
}
