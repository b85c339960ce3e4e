import Foundation
import TestSupport
import Testing

@testable import S3

private let dated = ["Last-Modified: Thu, 26 Nov 2026 22:08:16 GMT"]
private let found = ScriptedServer.Step.send(
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLast-Modified: Thu, 26 Nov 2026 22:08:16 GMT\r\n\r\n"
)
private let object = S3Object(key: Array("/k".utf8), size: 5, lastModified: 1_795_730_896)
private let page = ScriptedServer.Step.answer(200, [], "<ListBucketResult></ListBucketResult>")

struct FaultTests {
    private let key = Array("/k".utf8)

    // MARK: What passes

    @Test(arguments: [
        ScriptedServer.Step.answer(500), .answer(502, [], "<html>"), .answer(503), .answer(504), .answer(429),
        .close, .reset, .send("HTTP/1.1 200 OK\r\nContent-Le"), .answer(408),
    ])
    func `A HEAD is sent again after what passes`(fault: ScriptedServer.Step) throws {
        let server = try ScriptedServer { number, _ in number < 2 ? [fault, .close] : [found] }
        #expect(try server.client().status(of: key) == object)
        #expect(server.lines == Array(repeating: "HEAD /bucket//k", count: server.lines.count))
        // libcurl itself sends again what a kept connection did not answer.
        #expect(server.lines.count == 3)
    }

    @Test(arguments: [
        ScriptedServer.Step.error(503, "SlowDown"), .error(500, "InternalError"), .error(400, "RequestTimeout"),
        .error(409, "ConditionalRequestConflict"), .error(409, "OperationAborted"), .error(400, "IncompleteBody"),
        .answer(200, [], "<Error><Code>InternalError</Code></Error>"), .answer(429), .reset,
    ])
    func `An upload is sent again after what passes, from the file's start`(fault: ScriptedServer.Step) throws {
        let server = try ScriptedServer { number, _ in number < 2 ? [fault, .close] : [.stored] }
        #expect(try server.client().put(key, Array("payload".utf8)) == .stored)
        let requests = server.requests
        #expect(requests.count == 3)
        for request in requests {
            #expect(request.line == "PUT /bucket//k")
            #expect(request.headers["if-none-match"] == "*")
            #expect(request.headers["content-type"] == "application/octet-stream")
            #expect(request.headers["x-amz-checksum-sha256"] == "I59Z7VXnN8dxR89VrQwbAwttfudIp0JpUvm4UtWpNeU=")
        }
        #expect(requests.last?.body == Array("payload".utf8))
    }

    @Test func `When the time for it has passed, what failed is said`() throws {
        let server = try ScriptedServer(.error(503, "SlowDown"))
        var limits = S3Limits.quick
        limits.retryFor = .seconds(2)
        let log = RecordedLog()
        let client = try server.client(limits: limits, log: log)
        let begin = ContinuousClock.now
        let error = try failure { try client.put(key, [1]) }
        #expect(begin.duration(to: .now) > .seconds(1))
        #expect(error.code == .unavailable)
        #expect(error.mayPass)
        #expect(
            error.description
                == "bucket bucket at 127.0.0.1:\(server.port): PUT of an object: 503 SlowDown: of the test"
        )
        #expect(server.requests.count > 2)
        #expect(log.lines.count == server.requests.count - 1)
    }

    @Test func `A check that is not to wait makes one request`() throws {
        let server = try ScriptedServer(.answer(503), page)
        let error = try failure { try server.client().checkBucket(retrying: false) }
        #expect(error.code == .unavailable)
        #expect(server.lines.count == 1)
        try server.client().checkBucket(retrying: true)
        #expect(server.lines[1].contains("max-keys=1"))
    }

    @Test func `What the engine asks to wait is waited for`() throws {
        let server = try ScriptedServer(.answer(503, ["Retry-After: 1"]), found)
        let begin = ContinuousClock.now
        #expect(try server.client().status(of: key) == object)
        #expect(begin.duration(to: .now) >= .seconds(1))
    }

    @Test func `A longer wait than there is time for ends the operation at once`() throws {
        let server = try ScriptedServer(.answer(503, ["Retry-After: 3600"]), found)
        let begin = ContinuousClock.now
        let error = try failure { _ = try server.client().status(of: key) }
        #expect(error.code == .unavailable)
        #expect(begin.duration(to: .now) < .seconds(15))
        #expect(server.lines.count == 1)
    }

    @Test func `An engine that takes no connection is unavailable`() throws {
        let (listener, port) = try listenOnLoopback()
        close(listener)
        let error = try failure { try client(port: port).checkBucket(retrying: false) }
        #expect(error.code == .unavailable)
        #expect(error.mayPass)
        #expect(error.description.contains("127.0.0.1:\(port): listing: Failed to connect"))
    }

    @Test func `An engine's name that no server knows is unavailable`() throws {
        let client = try S3Client(
            S3Location(
                parsing: "s3://bucket?endpoint=http://engine.invalid&region=us-east-1",
                environment: { _ in nil }
            ),
            credentials: Credentials(accessKey: "a", secretKey: "b"),
            limits: .impatient,
            logger: RecordedLog().logger
        )
        let error = try failure { try client.checkBucket(retrying: true) }
        #expect(error.code == .unavailable)
        #expect(error.mayPass)
        #expect(error.description.contains("engine.invalid"))
    }

    @Test func `A connection that is not taken in time is given up`() throws {
        // The kernel takes no more than the backlog, and lets others wait.
        let (listener, port) = try listenOnLoopback(backlog: 0)
        defer { close(listener) }
        var waiting: [Int32] = []
        defer { waiting.forEach { close($0) } }
        for _ in 0..<8 { waiting.append(try connectLoopback(port)) }
        var limits = S3Limits.impatient
        limits.connectTimeout = .milliseconds(300)
        let error = try failure { try client(port: port, limits: limits).checkBucket(retrying: true) }
        #expect(error.code == .unavailable)
        #expect(error.mayPass)
    }

    @Test func `An answer that stalls is given up, and asked for again`() throws {
        let faults: [[ScriptedServer.Step]] = [
            [.stall], [.send("HTTP/1.1 200 OK\r\n"), .stall],
            [.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<ListBu"), .stall],
        ]
        // libcurl takes some seconds more, for which it reckons the speed.
        try concurrently(faults.count) { index in
            let server = try ScriptedServer { number, _ in number == 0 ? faults[index] : [page] }
            var limits = S3Limits.quick
            limits.stallTime = .seconds(1)
            try server.client(limits: limits).checkBucket(retrying: true)
            #expect(server.lines.count == 2)
            #expect(server.connectionCount == 2)
        }
    }

    @Test func `Nothing outlasts the deadline of whoever waits, nor begins after it`() throws {
        let server = try ScriptedServer { _, _ in [.stall] }
        // Without a deadline, the stall would be waited for.
        var limits = S3Limits()
        limits.stallTime = .seconds(300)
        // Longer than what is left after the first try.
        limits.backoff = .seconds(60)
        let client = try server.client(limits: limits)
        let error = try failure { try client.until(.now + .seconds(2)).checkBucket(retrying: true) }
        #expect(error.code == .unavailable)
        try eventually("the request has come") { server.requests.count == 1 }
        let late = try failure { try client.until(.now).checkBucket(retrying: true) }
        #expect(late.code == .unavailable)
        #expect(server.requests.count == 1)
    }

    @Test func `A kept connection that the engine has ended costs no failure`() throws {
        // One that ends before a request, and one that ends when it has taken a body.
        let server = try ScriptedServer { number, _ in
            [[.stored, .close], [.stored], [.takeBody, .close], [.stored]][number]
        }
        let client = try server.client(limits: .impatient)
        // Not so large that it would wait for the engine to want it: then something would have come.
        let payload = randomPayload(900_000)
        for _ in 0..<3 { #expect(try client.put(key, payload) == .stored) }
        #expect(server.requests.map(\.body) == Array(repeating: payload, count: 4))
    }

    @Test func `A thread's requests share a connection`() throws {
        let server = try ScriptedServer(found)
        let client = try server.client()
        let key = key
        for thread in 1...2 {
            try concurrently(1) { _ in
                for _ in 0..<5 { _ = try client.status(of: key) }
            }
            #expect(server.connectionCount == thread)
        }
        #expect(server.lines.count == 10)
    }

    // MARK: What does not pass

    @Test func `A HEAD's refusal is told by a GET of the first byte`() throws {
        let cases: [(answer: ScriptedServer.Step, code: S3Error.Code)] = [
            (.error(404, "NoSuchBucket"), .noSuchBucket), (.error(403, "AccessDenied"), .accessDenied),
            (.answer(403), .accessDenied), (.answer(404), .malformedAnswer),
            (.answer(404, [], "<html><body>not found</body></html>"), .malformedAnswer),
            (.error(404, "NoSuchUpload"), .refused), (.error(405, "MethodNotAllowed"), .refused),
            (.error(301, "PermanentRedirect"), .refused), (.answer(302, ["Location: /"]), .malformedAnswer),
            (.answer(204), .malformedAnswer),
        ]
        for (answer, code) in cases {
            let server = try ScriptedServer { _, request in
                request.line.hasPrefix("HEAD") ? [.send("HTTP/1.1 404 -\r\nContent-Length: 7\r\n\r\n")] : [answer]
            }
            let error = try failure { _ = try server.client().status(of: key) }
            #expect(error.code == code, "\(answer): \(error)")
            #expect(!error.mayPass)
            #expect(server.lines == ["HEAD /bucket//k", "GET /bucket//k"])
            #expect(server.requests.last?.headers["range"] == "bytes=0-0")
        }
    }

    @Test func `Only NoSuchKey says that an object is not there`() throws {
        let server = try ScriptedServer(.send("HTTP/1.1 404 -\r\n\r\n"), .error(404, "NoSuchKey"))
        #expect(try server.client().status(of: key) == nil)
    }

    @Test func `An object that came between HEAD and GET is described`() throws {
        let answers: [ScriptedServer.Step] = [
            .answer(206, dated + ["Content-Range: bytes 0-0/5"], "x"), .answer(200, dated, "12345"),
        ]
        for answer in answers {
            let server = try ScriptedServer { _, request in
                request.line.hasPrefix("HEAD") ? [.send("HTTP/1.1 404 -\r\n\r\n"), .close] : [answer]
            }
            #expect(try server.client().status(of: key) == object)
        }
        let empty = try ScriptedServer(
            .send("HTTP/1.1 404 -\r\n\r\n"),
            .answer(416, dated + ["Content-Range: bytes */0"])
        )
        #expect(try empty.client().status(of: key)?.size == 0)
    }

    @Test(arguments: [
        "", "Content-Length: 5\r\n", "Last-Modified: Thu, 26 Nov 2026 22:08:16 GMT\r\n",
        "Content-Length: 5\r\nLast-Modified: once\r\n",
    ])
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
    func `A refusal is said once, and not asked for again`(code: String, status: Int, expected: S3Error.Code) throws {
        let server = try ScriptedServer(.error(status, code))
        let error = try failure { try server.client().put(key, [1]) }
        #expect(error.code == expected)
        #expect(!error.mayPass)
        #expect(error.description.hasSuffix("PUT of an object: \(status) \(code): of the test"))
        #expect(server.lines.count == 1)
    }

    @Test func `A bucket of another region is named`() throws {
        let server = try ScriptedServer(
            .error(400, "AuthorizationHeaderMalformed", rest: "<Region>eu-west-1</Region>"),
            .error(301, "PermanentRedirect", ["x-amz-bucket-region: eu-west-2", "Location: http://127.0.0.1:1/"])
        )
        for region in ["eu-west-1", "eu-west-2"] {
            let error = try failure { try server.client().checkBucket(retrying: true) }
            #expect(error.code == .refused)
            #expect(error.description.contains("(the bucket's region is \(region), requests are for us-east-1)"))
        }
    }

    @Test func `Expired credentials are replaced once, and no more`() throws {
        let server = try ScriptedServer(.error(400, "ExpiredToken"))
        let all = (1...3).map { Credentials(accessKey: "key\($0)", secretKey: "s", sessionToken: "token") }
        let source = ChangingCredentials(all)
        let error = try failure { try server.client(credentials: source).put(key, [1]) }
        #expect(error.code == .credentials)
        #expect(server.requests.count == 2)
        #expect(source.refused == ["key1"])
        #expect(server.requests[1].headers["authorization"]?.contains("Credential=key2/") == true)
    }

    @Test func `A skew is told from the engine's own time, or else from its Date`() throws {
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

    @Test func `No message has a secret, a token or a signature, whatever the engine says`() throws {
        let server = try ScriptedServer { _, request in
            let said = request.headers["authorization"] ?? ""
            return [.error(403, "AccessDenied", rest: "<Message>\(said)\n\u{85}</Message>")]
        }
        let log = RecordedLog()
        let credentials = Credentials(accessKey: "AK", secretKey: "my-secret", sessionToken: "my-token")
        let client = try server.client(credentials: credentials, log: log)
        let error = try failure { try client.put(key, [1]) }
        #expect(error.code == .accessDenied)
        for text in ["\(error)", log.text] {
            for secret in ["my-secret", "my-token", "ignature"] { #expect(!text.contains(secret)) }
        }
    }

    @Test func `A message is one line of bounded length`() throws {
        let server = try ScriptedServer(
            .answer(
                400,
                [],
                "<Error><Code>a\nb</Code><Message>\(String(repeating: "x", count: 60_000))</Message></Error>"
            )
        )
        let error = try failure { try server.client().put(key, [1]) }
        #expect(error.description.utf8.count < 1200)
        #expect(!error.description.contains("\n"))
    }

    @Test(arguments: [
        ScriptedServer.Step.send("HTTP/0.9\r\n\r\n"), .send("SSH-2.0-OpenSSH_9.2\r\n"), .answer(200, [], "hello"),
        .answer(200, [], "<html></html>"), .answer(200), .answer(204), .answer(302, ["Location: http://127.0.0.1:1/"]),
        .send("HTTP/1.1 200 OK\r\n" + String(repeating: "x: y\r\n", count: 300) + "\r\n"),
        .answer(200, [], "<ListBucketResult>" + String(repeating: "<a/>", count: 1_100_000) + "</ListBucketResult>"),
    ])
    func `What does not answer as an S3 engine is no engine`(answer: ScriptedServer.Step) throws {
        let server = try ScriptedServer { _, _ in [answer, .close] }
        let error = try failure { try server.client().checkBucket(retrying: true) }
        #expect(error.code == .malformedAnswer)
        #expect(server.lines.count == 1)
    }

    private func client(port: UInt16, limits: S3Limits = .impatient) throws -> S3Client {
        try S3Client(
            S3Location(
                parsing: "s3://bucket?endpoint=http://127.0.0.1:\(port)&region=us-east-1&path-style=true",
                environment: { _ in nil }
            ),
            credentials: Credentials(accessKey: "a", secretKey: "b"),
            limits: limits,
            logger: RecordedLog().logger
        )
    }
}

private func connectLoopback(_ port: UInt16) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    _ = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    return descriptor
}
