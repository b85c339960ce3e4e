import Foundation
import TestSupport
import Testing

@testable import S3

/// How the client handles an engine's answers to the GET of a range.
@Suite(.runLimit) struct ReadFaultTests {
    private let key = Array("/k".utf8)

    private func partial(_ range: String, _ body: String, tag: String = "\"tag\"", length: Int? = nil)
        -> ScriptedServer.Step
    {
        .send(
            "HTTP/1.1 206 -\r\nContent-Length: \(length ?? body.utf8.count)\r\nContent-Range: bytes \(range)\r\n"
                + "ETag: \(tag)\r\n\r\n\(body)"
        )
    }

    private func read(_ server: ScriptedServer, _ range: Range<UInt64>, limits: S3Limits = .quick) throws -> String {
        String(decoding: try server.client(limits: limits).contents(of: key, range), as: UTF8.self)
    }

    @Test func `A read of the same object continues where an answer broke off`() throws {
        let server = try ScriptedServer { number, _ in
            switch number {
            case 0: [partial("2-9/12", "cdef", length: 8), .close]
            case 1: [.error(503, "SlowDown")]
            case 2: [partial("6-9/12", "g", length: 4), .reset]
            default: [partial(number == 3 ? "7-9/12" : "6-9/12", number == 3 ? "hij" : "ghij")]
            }
        }
        #expect(try read(server, 2..<10) == "cdefghij")
        let ranges = server.requests.map { $0.headers["range"] ?? "" }
        #expect(ranges[0] == "bytes=2-9")
        #expect(ranges[1...2] == ["bytes=6-9", "bytes=6-9"])
        #expect(server.requests[0].headers["if-match"] == nil)
        #expect(server.requests.dropFirst().allSatisfy { $0.headers["if-match"] == "\"tag\"" })
    }

    @Test func `Progress restarts the time for retries`() throws {
        // Each connection delivers one byte and fails.
        let server = try ScriptedServer { number, request in
            let first = request.headers["range"].flatMap { Int($0.dropFirst(6).prefix { $0 != "-" }) } ?? 0
            usleep(20_000)
            return [partial("\(first)-19/20", "x", length: 20 - first), .close]
        }
        let limits = S3Limits.with { $0.retryFor = .milliseconds(200) }
        #expect(try read(server, 0..<20, limits: limits) == String(repeating: "x", count: 20))
    }

    @Test func `Content that begins before the deadline is read to its end`() throws {
        let server = try ScriptedServer { number, _ in
            number == 0 ? [partial("0-3/4", "ab", length: 4), .close] : [partial("2-3/4", "cd")]
        }
        let client = try server.client()
        let deadline = ContinuousClock.now + .seconds(1)
        var bytes: [UInt8] = []
        try client.until(deadline).read(key, 0..<4) {
            bytes += $0
            ContinuousClock.now.duration(to: deadline).sleep()
        }
        #expect(bytes == Array("abcd".utf8))
    }

    @Test func `When retries run out, an incomplete answer is reported as cut off`() throws {
        let server = try ScriptedServer { _, _ in [partial("0-3/4", "ab", length: 4), .close] }
        let client = try server.client(limits: .impatient)
        var bytes: [UInt8] = []
        let error = try failure { try client.read(key, 0..<4) { bytes += $0 } }
        #expect(error.code == .cutOff)
        #expect(error.mayPass)
        #expect(bytes == Array("ab".utf8))
    }

    @Test func `A read continues after an incomplete answer without a length`() throws {
        let server = try ScriptedServer { number, _ in
            number == 0
                ? [.send("HTTP/1.1 206 -\r\nContent-Range: bytes 0-3/4\r\nConnection: close\r\n\r\nab"), .close]
                : [partial("2-3/4", "cd")]
        }
        #expect(try read(server, 0..<4) == "abcd")
    }

    @Test func `From a whole object sent instead of a range, the range is taken`() throws {
        let server = try ScriptedServer(.answer(200, [], "abcdefghij"))
        #expect(try read(server, 2..<5) == "cde")
        #expect(try read(server, 0..<10) == "abcdefghij")
        #expect(try read(server, 9..<10) == "j")
    }

    @Test func `A read fails if its object changes`() throws {
        let server = try ScriptedServer { number, _ in
            number == 0 ? [partial("0-3/4", "ab", length: 4), .close] : [.error(412, "PreconditionFailed")]
        }
        let error = try failure { _ = try read(server, 0..<4) }
        #expect(error.code == .cutOff)
        #expect(server.lines.count == 2)
    }

    /// The Content-Length, Content-Range and body of a 206.
    @Test(
        arguments: [
            (4, nil, "abcd"), (4, "bytes 1-4/9", "abcd"), (3, "bytes 1-3/9", "bcd"), (3, "bytes 0-2/9", "abc"),
            (5, "bytes 0-4/9", "abcde"), (4, "bytes 0-3/*", "abcd"), (5, "bytes 0-3/9", "abcde"),
            (nil, "bytes 0-3/9", "abcde"), (4, "items 0-3/9", "abcd"), (0, "bytes 3-0/9", ""), (nil, nil, "abcd"),
        ] as [(Int?, String?, String)]
    )
    func `An answer with another range is refused, and none of its bytes are passed on`(
        length: Int?,
        range: String?,
        body: String
    ) throws {
        // A range without the object's length is refused as well.
        let status = length == nil && range == nil ? 200 : 206
        let headers = [
            length.map { "Content-Length: \($0)" } ?? "Connection: close", range.map { "Content-Range: \($0)" },
        ]
        let head = ["HTTP/1.1 \(status) -"] + headers.compactMap(\.self)
        let server = try ScriptedServer { _, _ in [.send(head.joined(separator: "\r\n") + "\r\n\r\n" + body), .close] }
        var bytes: [UInt8] = []
        let client = try server.client(limits: .impatient)
        #expect(try failure { try client.read(key, 0..<4) { bytes += $0 } }.code == .malformedAnswer)
        #expect(bytes.isEmpty)
    }

    @Test func `An object shorter than the range is refused`() throws {
        for answer in [partial("0-2/3", "abc"), .answer(200, [], "abc"), .error(416, "InvalidRange")] {
            #expect(try failure { _ = try read(ScriptedServer(answer), 0..<4) }.code == .refused)
        }
    }

    @Test func `An empty range sends no request`() throws {
        let server = try ScriptedServer(.answer(500))
        #expect(try read(server, 3..<3) == "")
        #expect(server.lines.isEmpty)
    }

    @Test func `The closure of a read can send requests`() throws {
        let server = try ScriptedServer { _, request in
            request.line.hasPrefix("GET") ? [partial("0-3/4", "abcd")] : [.stored]
        }
        let client = try server.client()
        var outcomes: [S3Client.PutOutcome] = []
        try client.read(key, 0..<4) { _ in outcomes.append(try client.put(key, [1])) }
        #expect(outcomes == [.stored])
        #expect(server.lines == ["GET /bucket//k", "PUT /bucket//k"])
    }
}
