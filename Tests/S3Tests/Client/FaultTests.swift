import Foundation
import TestSupport
import Testing

@testable import S3

private let found = ScriptedServer.Step.object(5)
private let object = S3Object(key: Array("/k".utf8), size: 5, lastModified: 1_795_730_896)
private let page = ScriptedServer.Step.answer(200, [], "<ListBucketResult></ListBucketResult>")

/// Temporary failures, which the client retries for a limited time.
@Suite(.runLimit) struct FaultTests {
    private let key = Array("/k".utf8)

    @Test(arguments: [
        ScriptedServer.Step.answer(500), .answer(502, [], "<html>"), .answer(503), .answer(504), .answer(429),
        .close, .reset, .send("HTTP/1.1 200 OK\r\nContent-Le"), .answer(408),
    ])
    func `A HEAD is retried after a temporary failure`(fault: ScriptedServer.Step) throws {
        let server = try ScriptedServer { number, _ in number < 2 ? [fault, .close] : [found] }
        #expect(try server.client().status(of: key) == object)
        #expect(server.lines == Array(repeating: "HEAD /bucket//k", count: server.lines.count))
        // libcurl itself repeats a request that a kept connection did not answer.
        #expect(server.lines.count == 3)
    }

    @Test(arguments: [
        ScriptedServer.Step.error(503, "SlowDown"), .error(500, "InternalError"), .error(400, "RequestTimeout"),
        .error(409, "ConditionalRequestConflict"), .error(409, "OperationAborted"), .error(400, "IncompleteBody"),
        .answer(200, [], "<Error><Code>InternalError</Code></Error>"), .answer(429), .reset,
    ])
    func `An upload is retried after a temporary failure, from the file's start`(fault: ScriptedServer.Step) throws {
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

    @Test func `When retries run out, the last failure is reported`() throws {
        let server = try ScriptedServer(.error(503, "SlowDown"))
        let log = RecordedLog()
        let client = try server.client(limits: .with { $0.retryFor = .milliseconds(300) }, log: log)
        let error = try failure { try client.put(key, [1]) }
        #expect(error.code == .unavailable)
        #expect(error.mayPass)
        #expect(
            error.description
                == "bucket bucket at 127.0.0.1:\(server.port): PUT of an object: 503 SlowDown: of the test"
        )
        #expect(server.requests.count > 2)
        #expect(log.lines.count == server.requests.count - 1)
    }

    @Test func `A check without retries sends one request`() throws {
        let server = try ScriptedServer(.answer(503), page)
        let error = try failure { try server.client().checkBucket(retrying: false) }
        #expect(error.code == .unavailable)
        #expect(server.lines.count == 1)
        try server.client().checkBucket(retrying: true)
        #expect(server.lines[1].contains("max-keys=1"))
    }

    @Test func `A retry waits as long as the engine asks`() throws {
        let server = try ScriptedServer(.answer(503, ["Retry-After: 1"]), found)
        let begin = ContinuousClock.now
        #expect(try server.client().status(of: key) == object)
        #expect(begin.duration(to: .now) >= .seconds(1))
    }

    @Test func `An operation fails immediately if the engine asks for a longer wait than is left`() throws {
        let server = try ScriptedServer(.answer(503, ["Retry-After: 3600"]), found)
        #expect(try failure { _ = try server.client().status(of: key) }.code == .unavailable)
        #expect(server.lines.count == 1)
    }

    @Test func `An engine with a closed port or an unknown host name is unavailable`() throws {
        let (listener, port) = try listenOnLoopback()
        close(listener)
        for (host, text) in [("127.0.0.1:\(port)", "listing: Failed to connect"), ("engine.invalid", "listing: ")] {
            let client = try client("s3://bucket?endpoint=http://\(host)", limits: .impatient)
            let error = try failure { try client.checkBucket(retrying: true) }
            #expect(error.code == .unavailable)
            #expect(error.mayPass)
            #expect(error.description.contains("\(host): \(text)"))
        }
    }

    @Test func `A connection that is not accepted in time fails`() throws {
        // The kernel accepts no connections beyond the backlog.
        let (listener, port) = try listenOnLoopback(backlog: 0)
        defer { close(listener) }
        var waiting: [Int32] = []
        defer { waiting.forEach { close($0) } }
        for _ in 0..<8 { waiting.append(try connectLoopback(port)) }
        let limits = S3Limits.with { ($0.retryFor, $0.request.connectTimeout) = (.zero, .milliseconds(300)) }
        let client = try client("s3://bucket?endpoint=http://127.0.0.1:\(port)", limits: limits)
        let error = try failure { try client.checkBucket(retrying: true) }
        #expect(error.code == .unavailable)
        #expect(error.mayPass)
    }

    @Test func `After a stalled answer, the read continues with another request`() throws {
        let read = "HTTP/1.1 206 -\r\nContent-Length: 4\r\nContent-Range: bytes 0-3/4\r\n\r\na"
        let faults: [[ScriptedServer.Step]] = [
            [.stall], [.send("HTTP/1.1 200 OK\r\n"), .stall],
            [.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<"), .stall], [.send(read), .stall],
        ]
        // libcurl averages the speed over some seconds before it gives up.
        try concurrently(faults.count) { index in
            let isRead = index == 3
            let rest = isRead ? ScriptedServer.Step.answer(206, ["Content-Range: bytes 1-3/4"], "bcd") : page
            let server = try ScriptedServer { number, _ in number == 0 ? faults[index] : [rest] }
            let client = try server.client(limits: .with { $0.request.stallTime = .seconds(1) })
            if isRead {
                #expect(try client.contents(of: S3Tests.key("/k"), 0..<4) == S3Tests.key("abcd"))
            } else {
                try client.checkBucket(retrying: true)
            }
            #expect(server.lines.count == 2)
            #expect(server.connectionCount == 2)
        }
    }

    @Test func `No request outlasts the caller's deadline or begins after it`() throws {
        let server = try ScriptedServer { _, _ in [.stall] }
        // Without the deadline, the client would wait out the stall. The pause is longer than the time left after the
        // first try.
        let client = try server.client(
            limits: .with { ($0.request.stallTime, $0.backoff) = (.seconds(300), .seconds(60)) }
        )
        try concurrently(2) { index in
            let client = client.until(.now + .seconds(1))
            let error = try failure {
                if index == 0 { try client.checkBucket(retrying: true) } else { try client.read([1], 0..<4) { _ in } }
            }
            #expect(error.code == .unavailable)
        }
        try eventually("the requests have come") { server.requests.count == 2 }
        #expect(try failure { try client.until(.now).checkBucket(retrying: true) }.code == .unavailable)
        #expect(server.requests.count == 2)
    }

    @Test func `A kept connection that the engine closed causes no failure`() throws {
        // One connection ends before a request, one while it sends a body, and one after that. libcurl itself repeats
        // the first and the last, but not a request that failed while it was sent.
        let server = try ScriptedServer { number, _ in
            [[.stored, .close], [.stored, .wait(100), .close], [.stored], [.takeBody, .close], [.stored]][number]
        }
        let client = try server.client()
        // The body is small enough to be sent without waiting for 100 Continue.
        let payload = randomPayload(900_000)
        for _ in 0..<4 { #expect(try client.put(key, payload) == .stored) }
        #expect(server.requests.map(\.body) == Array(repeating: payload, count: 5))
    }

    @Test func `Consecutive requests share a connection across threads`() throws {
        let server = try ScriptedServer(found)
        let client = try server.client()
        let key = key
        for _ in 0..<2 {
            try concurrently(1) { _ in
                for _ in 0..<5 { _ = try client.status(of: key) }
            }
        }
        #expect(server.connectionCount == 1)
        #expect(server.lines.count == 10)
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
