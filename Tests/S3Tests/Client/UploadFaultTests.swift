import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import S3

/// How the client handles an engine's answers to uploads and copies.
@Suite(.runLimit) struct UploadFaultTests {
    private let key = Array("/k".utf8)
    private static let digest = [UInt8](repeating: 1, count: 32)

    // MARK: Answers

    @Test func `An engine that refuses conditions gets uploads without one`() throws {
        let server = try ScriptedServer { _, request in
            request.headers["if-none-match"] == nil ? [.stored] : [.error(501, "NotImplemented")]
        }
        let client = try server.client()
        for _ in 0..<2 { #expect(try client.put(key, [1]) == .stored) }
        // The third try, with a checksum but no condition, succeeds, and later uploads are like it.
        #expect(server.requests.map { $0.headers["x-amz-checksum-sha256"] == nil } == [false, true, false, false])
    }

    @Test func `Only an answer with an ETag means that an upload is stored`() throws {
        let server = try ScriptedServer(.answer(200, [], "<html>Welcome</html>"))
        // OpenStack Swift gives this answer to a conditional upload that another upload overtook.
        #expect(try server.client().put(key, [1]) == .existed)
        #expect(try failure { try server.client().put(key, [1], onlyIfAbsent: false) }.code == .malformedAnswer)
    }

    @Test func `412 after a lost answer means that the object exists`() throws {
        let server = try ScriptedServer { number, _ in
            number == 0 ? [.takeBody, .reset] : [.error(412, "PreconditionFailed")]
        }
        #expect(try server.client().put(key, Array("payload".utf8)) == .existed)
        #expect(server.lines.count == 2)
    }

    @Test func `412 means that the object exists, even if the answer is cut off`() throws {
        let server = try ScriptedServer { _, _ in [.send("HTTP/1.1 412 -\r\nContent-Length: 100\r\n\r\n<Err"), .close] }
        #expect(try server.client().put(key, Array("payload".utf8)) == .existed)
        #expect(server.lines.count == 1)
    }

    @Test func `412 for an upload without a condition is a refusal`() throws {
        let server = try ScriptedServer(.error(412, "PreconditionFailed"))
        #expect(try failure { try server.client().put(key, [1], onlyIfAbsent: false) }.code == .refused)
        #expect(server.requests.first?.headers["if-none-match"] == nil)
    }

    @Test func `An upload fails if the engine reports another checksum`() throws {
        let server = try ScriptedServer(.answer(200, ["ETag: x", "x-amz-checksum-sha256: AAAA"]))
        #expect(try failure { try server.client().put(key, [1]) }.code == .badDigest)
    }

    @Test func `A copy that fails after its 200 is retried`() throws {
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

    @Test func `A large body waits for 100 Continue`() throws {
        let server = try ScriptedServer { _, _ in
            [.send("HTTP/1.1 412 -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), .close, .takeBody]
        }
        var pieces = 0
        let outcome = try server.client().put(key, randomPayload(3_000_000)) { pieces += 1 }
        #expect(outcome == .existed)
        #expect(pieces == 0)
        #expect(server.requests[0].headers["expect"] == "100-continue")
        // Headers that proxies change are not signed.
        #expect(server.requests[0].headers["authorization"]?.contains("expect") == false)
    }

    @Test func `Only bodies over 1 MiB wait for 100 Continue`() throws {
        let server = try ScriptedServer(.stored)
        let client = try server.client()
        for size in [0, 1, 1 << 20, 1 << 20 + 1] { try client.put(key, [UInt8](repeating: 1, count: size)) }
        #expect(server.requests.map { $0.headers["expect"] } == [nil, nil, nil, "100-continue"])
        #expect(server.requests.map { $0.headers["content-length"] } == ["0", "1", "1048576", "1048577"])
    }

    @Test func `Uploads and copies request storage class and encryption`() throws {
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

    @Test func `A file shorter than its size is not uploaded`() throws {
        let server = try ScriptedServer(.stored)
        let error = try failure {
            _ = try withFile([1, 2, 3]) { file in
                try server.client().put(key, .file(file, size: 4), digest: Self.digest, onlyIfAbsent: true)
            }
        }
        #expect(error.code == .badDigest)
        #expect(error.description.hasSuffix("the file ended after 3 of 4 bytes"))
    }

    @Test func `A file that can't be read throws the system's error`() throws {
        let server = try ScriptedServer(.stored)
        let folder = open("/tmp", O_RDONLY | O_DIRECTORY)
        defer { close(folder) }
        #expect(throws: Errno.isDirectory) {
            try server.client().put(key, .file(folder, size: 4), digest: Self.digest, onlyIfAbsent: true)
        }
    }

    @Test func `An upload neither uses nor moves the file's position`() throws {
        let server = try ScriptedServer(.stored)
        try withFile(Array("0123456789".utf8)) { file in
            lseek(file, 4, SEEK_SET)
            _ = try server.client().put(key, .file(file, size: 6), digest: Self.digest, onlyIfAbsent: true)
            #expect(lseek(file, 0, SEEK_CUR) == 4)
        }
        #expect(server.requests[0].body == Array("012345".utf8))
    }
}
