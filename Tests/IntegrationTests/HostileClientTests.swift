import Foundation
import TestSupport
import Testing

/// Malformed input from a client or a web server stores nothing, leaves nothing, and blocks no other client.
@Suite(.serialized, .runLimit) struct HostileClientTests {
    private static let content = randomPayload(300_000)
    private static let target = Stack.putTarget(namespace: "ns", digest: Stack.digest(content))

    /// Starts an upload, and sends its first bytes.
    @discardableResult
    private func begin(_ stack: Stack, _ count: Int) throws -> HTTPConnection {
        let connection = try HTTPConnection(stack.httpSocket)
        try connection.send("PUT", Self.target, Stack.putHeaders(), length: Self.content.count)
        try connection.send(Array(Self.content.prefix(count)))
        return connection
    }

    private func expectUntouched(_ stack: Stack) throws {
        try stack.expectNothingIncoming()
        #expect(stack.tree.isEmpty)
        #expect(try stack.put(Self.content).status == 201, "the pool serves")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `An upload aborted at any byte stores nothing; one aborted after its last byte is stored whole or not at all`(
        mode: Stack.Mode
    ) throws {
        let stack = try Stack(mode, options: ["--threads", "2"])
        for count in [0, 1, 4095, 100_000, 262_144, 299_999] { try begin(stack, count) }
        for head in [
            "", "P", "PUT \(Self.target) HTTP/1.1\r\n", "PUT \(Self.target) HTTP/1.1\r\nHost: x\r\nContent-Le",
        ] {
            try HTTPConnection(stack.httpSocket).send(Array(head.utf8))
        }
        try expectUntouched(stack)
        for index in 0..<30 {
            let payload = Self.content + [UInt8(index)]
            let target = Stack.putTarget(namespace: "ns", digest: Stack.digest(payload))
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send("PUT", target, Stack.putHeaders(), length: payload.count)
            try connection.send(payload)
        }
        try stack.expectNothingIncoming()
        try stack.expectObjectsWhole()
        #expect(try stack.put(Self.content).status == 200)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Slow and stalled clients do not block others`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, options: ["--threads", "2"])
        let sending = try (0..<8).map { _ in try begin(stack, 1000) }
        let payload = randomPayload(20_000_000)
        let key = try stack.store(payload)
        let reading = try (0..<8).map { _ in
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send("GET", Stack.getTarget(key), Stack.getHeaders(length: payload.count))
            return connection
        }
        for index in 0..<4 {
            #expect(try stack.put(Self.content + [UInt8(index)]).status == 201)
            #expect(try stack.request("HEAD", "/v2/health/head").status == 200)
        }
        // A stalled client still completes its transfer.
        let whole = try reading[0].receive().body == payload
        #expect(whole)
        try sending[0].send(Array(Self.content.dropFirst(1000)))
        #expect(try sending[0].receive().status == 201)
    }

    @Test func `A metadata header of 62 KiB is accepted; one over nginx's limit is 400 with one line`() throws {
        let stack = try Stack()
        for (size, status) in [(32 << 10, 201), (62 << 10, 201), (70 << 10, 400)] {
            // {"a":"<base64>"}, again in base64: each encoding adds a third.
            let value = Data(repeating: 97, count: size * 9 / 16 - 12).base64EncodedString()
            // Other headers, such as cookies or tokens, do not count towards the limit.
            let headers = Stack.putHeaders(metadata: "{\"a\":\"\(value)\"}")
                .merging(["Authorization": String(repeating: "t", count: 20_000)]) { $1 }
            let answer = try stack.request("PUT", Self.target, headers, body: Self.content)
            #expect(answer.status == status, "\(size)")
            if status == 400 { expectError(answer, 400, "bad request", "\(size)") }
        }
    }

    @Test func `A worker closes malformed and aborted FastCGI requests, and continues to serve`() throws {
        let stack = try Stack(options: ["--threads", "1"])
        let health = ["REQUEST_METHOD": "HEAD", "SCRIPT_NAME": "/v2/health/head"]
        let head = FastCGIClient.head(health)
        func ask(_ bytes: [UInt8]) throws -> String {
            let client = try FastCGIClient(stack.workerSocket)
            client.send(bytes)
            shutdown(client.descriptor, Int32(SHUT_WR))
            return client.receiveAnswer()
        }
        let beginning = FastCGIClient.record(.beginRequest, [0, 1, 0, 0, 0, 0, 0, 0])
        for bytes in [
            [], Array("GET / HTTP/1.1\r\n\r\n".utf8), Array(head.prefix(5)), Array(head.dropLast(9)),
            FastCGIClient.record(.beginRequest, [0, 9, 0, 0, 0, 0, 0, 0]), FastCGIClient.record(.beginRequest, [0, 1]),
            FastCGIClient.record(.params, [1]), [UInt8](repeating: 0xFF, count: 70_000),
            FastCGIClient.record(.beginRequest, [0, 1, 0, 0, 0, 0, 0, 0], version: 2),
            // A parameter whose lengths announce 2 GiB.
            beginning + FastCGIClient.record(.params, [UInt8](repeating: 0xFF, count: 8)),
        ] {
            #expect(try ask(bytes).isEmpty)
            try #require(stack.workers[0].isRunning)
        }
        let target = Self.target.split(separator: "?")
        let upload = FastCGIClient.head([
            "REQUEST_METHOD": "PUT", "SCRIPT_NAME": String(target[0]), "QUERY_STRING": String(target[1]),
            "CONTENT_TYPE": "application/octet-stream", "CONTENT_LENGTH": "\(Self.content.count)",
            "HTTP_X_TEMPORAL_METADATA": "e30=",
        ])
        for count in [0, 1, 60_000] {
            let body = count > 0 ? FastCGIClient.record(.stdin, Array(Self.content.prefix(count))) : []
            #expect(try ask(upload + body).hasPrefix("Status: 400 "))
        }
        // The only thread serves the next connection even if the web server asks to keep this one.
        for _ in 0..<3 {
            let client = try FastCGIClient(stack.workerSocket)
            client.send(FastCGIClient.head(health, keepConnection: true))
            client.send(FastCGIClient.record(.stdin, []))
            #expect(client.receiveAnswer().hasPrefix("Status: 200 OK\r\n"))
        }
        #expect(try ask(head).hasPrefix("Status: 200 OK\r\n"))
        try expectUntouched(stack)
    }
}
