import Foundation
import TestSupport
import Testing

@testable import S3

private let dated = ["Last-Modified: Thu, 26 Nov 2026 22:08:16 GMT"]

/// Permanent failures, which are reported once, with a remedy.
@Suite(.runLimit) struct RefusalTests {
    private let key = Array("/k".utf8)

    @Test func `A failed HEAD is explained by a GET of the first byte`() throws {
        let cases: [(answer: ScriptedServer.Step, code: S3Error.Code)] = [
            (.error(404, "NoSuchBucket"), .noSuchBucket), (.error(403, "AccessDenied"), .accessDenied),
            (.answer(403), .accessDenied), (.answer(404), .malformedAnswer),
            (.answer(404, [], "<html><body>not found</body></html>"), .malformedAnswer),
            (.error(404, "NoSuchUpload"), .refused), (.error(405, "MethodNotAllowed"), .refused),
            (.error(301, "PermanentRedirect"), .refused), (.answer(302, ["Location: /"]), .malformedAnswer),
            (.answer(204), .malformedAnswer),
        ]
        for (answer, code) in cases {
            let server = try ScriptedServer(.send("HTTP/1.1 404 -\r\nContent-Length: 7\r\n\r\n"), answer)
            let error = try failure { _ = try server.client().status(of: key) }
            #expect(error.code == code, "\(answer): \(error)")
            #expect(!error.mayPass)
            #expect(server.lines == ["HEAD /bucket//k", "GET /bucket//k"])
            #expect(server.requests.last?.headers["range"] == "bytes=0-0")
        }
    }

    @Test func `Only NoSuchKey means that an object is missing`() throws {
        let server = try ScriptedServer(.answer(404), .error(404, "NoSuchKey"))
        #expect(try server.client().status(of: key) == nil)
    }

    @Test func `An object stored between HEAD and GET is found`() throws {
        let answers: [(ScriptedServer.Step, size: UInt64)] = [
            (.answer(206, dated + ["Content-Range: bytes 0-0/5"], "x"), 5), (.answer(200, dated, "12345"), 5),
            (.answer(416, dated + ["Content-Range: bytes */0"]), 0),
        ]
        for (answer, size) in answers {
            let server = try ScriptedServer(.answer(404), answer)
            let object = S3Object(key: key, size: size, lastModified: 1_795_730_896)
            #expect(try server.client().status(of: key) == object)
        }
    }

    @Test(arguments: ["", "Content-Length: 5\r\n", "\(dated[0])\r\n", "Content-Length: 5\r\nLast-Modified: once\r\n"])
    func `An object without a size or an age is refused`(headers: String) throws {
        let server = try ScriptedServer(.send("HTTP/1.1 200 OK\r\n\(headers)\r\n"), .close)
        #expect(try failure { _ = try server.client().status(of: key) }.code == .malformedAnswer)
    }

    @Test(arguments: [
        ("AccessDenied", 403, S3Error.Code.accessDenied), ("InvalidObjectState", 403, .refused),
        ("EntityTooLarge", 400, .refused), ("BadDigest", 400, .badDigest), ("NoSuchBucket", 404, .noSuchBucket),
        ("XAmzContentChecksumMismatch", 400, .badDigest), ("QuotaExceeded", 403, .full),
        ("XMinioAdminBucketQuotaExceeded", 400, .full), ("XMinioStorageFull", 507, .full),
        ("SignatureDoesNotMatch", 403, .credentials), ("InvalidAccessKeyId", 403, .credentials),
    ])
    func `A refusal is not retried`(code: String, status: Int, expected: S3Error.Code) throws {
        let server = try ScriptedServer(.error(status, code))
        let error = try failure { try server.client().put(key, [1]) }
        #expect(error.code == expected)
        #expect(!error.mayPass)
        #expect(error.description.hasSuffix("PUT of an object: \(status) \(code): of the test"))
        #expect(server.lines.count == 1)
    }

    @Test func `The error for a wrong region names the bucket's region`() throws {
        let server = try ScriptedServer(
            .error(400, "AuthorizationHeaderMalformed", rest: "<Region>eu-west-1</Region>"),
            .error(301, "PermanentRedirect", ["x-amz-bucket-region: eu-west-2", "Location: http://127.0.0.1:1/"])
        )
        for region in ["eu-west-1", "eu-west-2"] {
            let error = try failure { try server.client().checkBucket(retrying: true) }
            #expect(error.code == .refused)
            #expect(error.description.contains("(the bucket's region is \(region), requests are signed for us-east-1)"))
        }
    }

    @Test(arguments: [1, 2]) func `Expired credentials are replaced once`(expired: Int) throws {
        let server = try ScriptedServer { number, _ in [number < expired ? .error(400, "ExpiredToken") : .stored] }
        let all = (1...3).map { Credentials(accessKey: "key\($0)", secretKey: "s", sessionToken: "token") }
        let source = ChangingCredentials(all)
        let client = try server.client(credentials: source)
        if expired == 1 {
            #expect(try client.put(key, [1]) == .stored)
        } else {
            #expect(try failure { try client.put(key, [1]) }.code == .credentials)
        }
        #expect(server.requests.count == 2)
        #expect(source.refused == ["key1"])
        #expect(server.requests[1].headers["authorization"]?.contains("Credential=key2/") == true)
    }

    @Test func `The clock difference comes from the error's time, or else from Date`() throws {
        let server = try ScriptedServer(
            .error(403, "RequestTimeTooSkewed", rest: "<ServerTime>2026-11-26T22:00:00Z</ServerTime>"),
            .error(403, "RequestTimeTooSkewed", ["Date: Thu, 26 Nov 2026 22:30:00 GMT"]),
            .error(403, "RequestTimeTooSkewed")
        )
        let client = try server.client(now: { 1_795_731_300 })
        let expected = [
            "clock is 900 s ahead of the engine's)", "clock is 900 s behind the engine's)", "of the test",
        ]
        for text in expected {
            let error = try failure { try client.checkBucket(retrying: true) }
            #expect(error.code == .clockSkew)
            #expect(error.description.hasSuffix(text), "\(error)")
        }
        #expect(server.lines.count == 3)
    }

    @Test func `No message contains a secret, a token or a signature`() throws {
        let server = try ScriptedServer { _, request in
            let said = request.headers["authorization"] ?? ""
            return [.error(403, "AccessDenied", rest: "<Message>\(said)\n\u{85}</Message>")]
        }
        let log = RecordedLog()
        let credentials = Credentials(accessKey: "AK", secretKey: "my-secret", sessionToken: "my-token")
        let client = try server.client(credentials: credentials, log: log)
        let error = try failure { try client.put(key, [1]) }
        #expect(error.code == .accessDenied)
        for secret in ["my-secret", "my-token", "ignature"] { #expect(!"\(error)\(log.text)".contains(secret)) }
    }

    @Test func `A message is one line of bounded length`() throws {
        let server = try ScriptedServer(
            .error(400, "a\nb", rest: "<Message>\(String(repeating: "x", count: 60_000))</Message>")
        )
        let error = try failure { try server.client().put(key, [1]) }
        #expect(error.description.utf8.count < 1200)
        #expect(!error.description.contains("\n"))
    }

    @Test func `Answers that are not from an S3 engine are malformed`() throws {
        let answers: [ScriptedServer.Step] = [
            .send("HTTP/0.9\r\n\r\n"), .send("SSH-2.0-OpenSSH_9.2\r\n"), .answer(200, [], "hello"),
            .answer(200, [], "<html></html>"), .answer(200), .answer(204),
            .answer(302, ["Location: http://127.0.0.1:1/"]),
            .send("HTTP/1.1 200 OK\r\n" + String(repeating: "x: y\r\n", count: 300) + "\r\n"),
            .answer(200, [], "<ListBucketResult>\(String(repeating: "<a/>", count: 1_100_000))</ListBucketResult>"),
        ]
        for (index, answer) in answers.enumerated() {
            let server = try ScriptedServer { _, _ in [answer, .close] }
            let error = try failure { try server.client().checkBucket(retrying: true) }
            #expect(error.code == .malformedAnswer, "\(index): \(error)")
            #expect(server.lines.count == 1, "\(index)")
        }
    }
}
