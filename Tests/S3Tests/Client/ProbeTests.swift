import Crypto
import Foundation
import TestSupport
import Testing

@testable import S3

/// The results of a probe, and their effect on later requests.
@Suite(.runLimit) struct ProbeTests {
    private let key = Array("/k".utf8)

    private func probed(_ otherwise: @escaping ScriptedEngine.Answer) throws -> (ScriptedEngine, S3Client) {
        let engine = try ScriptedEngine(otherwise)
        let client = try engine.server.client()
        try client.probe()
        return (engine, client)
    }

    @Test func `A probe sends the same requests as payloads, with a key that also begins with a slash`() throws {
        let (engine, client) = try probed { _ in nil }
        let requests = engine.server.requests.map { request in
            request.headers["x-amz-copy-source"] == nil ? request.method : "COPY"
        }
        #expect(requests == ["PUT", "PUT", "PUT", "PUT", "HEAD", "GET", "COPY", "DELETE"])
        let paths = Set(engine.server.requests.map(\.target))
        #expect(paths == ["/bucket//probe/object", "/bucket//probe/absent"])
        #expect(client.engine.condition == .honoured)
        #expect(client.engine.verified == [.sha256, .signed])
        let fields = client.engine.fields.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        #expect(
            fields
                == "if_none_match=honoured verifies=x-amz-checksum-sha256,x-amz-content-sha256 copy=yes delete=yes"
        )
    }

    @Test func `The probe's keys have the location's prefix`() throws {
        let engine = try ScriptedEngine()
        try engine.server.client(bucket: "bucket/team").probe()
        #expect(engine.server.lines[0] == "PUT /bucket/team/probe/object")
    }

    // The answers of Backblaze and R2.
    @Test(arguments: [(400, "InvalidArgument"), (501, "NotImplemented")])
    func `An engine that refuses x-amz-checksum-sha256 gets uploads without it`(status: Int, code: String) throws {
        let (engine, client) = try probed { request in
            request.headers["x-amz-checksum-sha256"] == nil ? nil : .error(status, code)
        }
        #expect(!client.engine.takesChecksum)
        #expect(client.engine.verified == [.signed])
        #expect(client.engine.condition == .honoured)
        let before = engine.server.requests.count
        #expect(try client.put(key, [1]) == .stored)
        #expect(engine.server.requests.count == before + 1)
        let upload = try #require(engine.server.requests.last)
        #expect(upload.headers["if-none-match"] == "*")
        #expect(upload.headers["x-amz-content-sha256"]?.hasPrefix("4bf5122f344554c5") == true, "of the byte 1")
    }

    @Test func `Without a probe, a refused x-amz-checksum-sha256 is omitted after the first upload`() throws {
        let engine = try ScriptedEngine { request in
            request.headers["x-amz-checksum-sha256"] == nil ? nil : .error(501, "NotImplemented")
        }
        let client = try engine.server.client()
        for number in 0..<3 { #expect(try client.put(Array("/\(number)".utf8), [1]) == .stored) }
        #expect(engine.server.requests.count == 4)
    }

    @Test func `An engine that compares only Content-MD5 gets that`() throws {
        let (engine, client) = try probed { request in
            request.method == "PUT" && request.headers["x-amz-copy-source"] == nil && request.wrongChecksum != nil
                && request.wrongChecksum != "content-md5" ? .stored : nil
        }
        #expect(client.engine.verified == [.md5])
        let payload = randomPayload(600_000)
        #expect(try client.put(key, payload) == .stored)
        let md5 = Data(Insecure.MD5.hash(data: payload)).base64EncodedString()
        #expect(engine.server.requests.last?.headers["content-md5"] == md5)
    }

    @Test func `A checksum counts as compared only if the engine refuses a wrong one`() throws {
        for answer in [ScriptedServer.Step.stored, .error(500, "InternalError"), .error(429, "SlowDown")] {
            let (_, client) = try probed { request in
                request.method == "PUT" && request.headers["x-amz-copy-source"] == nil && request.wrongChecksum != nil
                    ? answer : nil
            }
            #expect(client.engine.verified.isEmpty)
            #expect(client.engine.fields.contains { $0 == ("verifies", "nothing") })
        }
    }

    @Test func `An engine that ignores conditions is distinguished from one that refuses them`() throws {
        let (_, ignoring) = try probed { request in
            request.headers["if-none-match"] == nil ? nil : .stored
        }
        #expect(ignoring.engine.condition == .ignored)
        let (engine, refusing) = try probed { request in
            request.headers["if-none-match"] == nil ? nil : .error(501, "NotImplemented")
        }
        #expect(refusing.engine.condition == .refused)
        #expect(refusing.engine.takesChecksum)
        #expect(try refusing.put(key, [1]) == .stored)
        #expect(engine.server.requests.last?.headers["if-none-match"] == nil)
    }

    @Test func `A probe succeeds with credentials that can't delete`() throws {
        let (_, client) = try probed { request in
            request.method == "DELETE" ? .error(403, "AccessDenied") : nil
        }
        #expect(client.engine.deletes == false)
    }

    @Test func `A probe detects an engine that can't copy`() throws {
        let (_, client) = try probed { request in
            request.headers["x-amz-copy-source"] == nil ? nil : .error(501, "NotImplemented")
        }
        #expect(!client.engine.copies)
    }

    @Test(arguments: [
        ("AccessDenied", 403, S3Error.Code.accessDenied), ("InvalidStorageClass", 400, .refused),
        ("InvalidArgument", 400, .refused), ("SignatureDoesNotMatch", 403, .credentials),
        ("QuotaExceeded", 403, .full), ("XMinioStorageFull", 507, .full),
    ])
    func `A probe that can't store fails like an upload`(code: String, status: Int, expected: S3Error.Code) throws {
        let engine = try ScriptedEngine { $0.method == "PUT" ? .error(status, code) : nil }
        let error = try failure { try engine.server.client().probe() }
        #expect(error.code == expected)
        #expect(!error.mayPass)
        #expect(error.description.contains("PUT of an object: \(status) \(code)"))
    }

    @Test func `The error for a refused upload names the requested options or a remedy`() throws {
        let engine = try ScriptedEngine { $0.method == "PUT" ? .error(400, "InvalidRequest") : nil }
        let asking = try failure { try engine.server.client(options: "&storage-class=COLD&sse=AES256").probe() }
        let asked = "(requested x-amz-storage-class: COLD, x-amz-server-side-encryption: AES256)"
        #expect(asking.description.hasSuffix("400 InvalidRequest: of the test \(asked)"))
        let merging = try ScriptedEngine { $0.target.contains("//") ? .error(403, "SignatureDoesNotMatch") : nil }
        #expect(try failure { try merging.server.client().probe() }.description.contains("a PREFIX in the store's URL"))
        try merging.server.client(bucket: "bucket/prefix").probe()
    }

    @Test func `A probe fails if it reads other bytes than it stored`() throws {
        let others = try ScriptedEngine { request in
            request.method == "GET" ? .answer(206, ["Content-Range: bytes 6-12/47"], "payload") : nil
        }
        #expect(try failure { try others.server.client().probe() }.code == .badDigest)
        let none = try ScriptedEngine { request in
            switch request.method {
            case "HEAD": .send("HTTP/1.1 404 -\r\n\r\n")
            case "GET": .error(404, "NoSuchKey")
            default: nil
            }
        }
        let error = try failure { try none.server.client().probe() }
        #expect(error.code == .unavailable)
        #expect(error.mayPass)
    }
}
