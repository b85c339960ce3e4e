import Foundation
import TestSupport
import Testing

/// What a client or a web server sends wrong stores nothing, leaves nothing, and stops nobody else.
@Suite(.serialized, .runLimit) struct HostileClientTests {
    private static let content = randomPayload(300_000)
    private static let digest = Stack.digest(content)

    private func expectUntouched(_ stack: Stack, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try stack.expectNothingIncoming()
        #expect(stack.tree.isEmpty, sourceLocation: sourceLocation)
        #expect(try stack.put(Self.content).status == 201, "the pool serves", sourceLocation: sourceLocation)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `An upload that the client cuts off at any byte stores nothing`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, options: ["--threads", "2"])
        let target = Stack.putTarget(namespace: "ns", digest: Self.digest)
        for count in [0, 1, 4095, 100_000, 262_144, 299_999] {
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send("PUT", target, Stack.putHeaders(), length: Self.content.count)
            try connection.send(Array(Self.content.prefix(count)))
        }
        for head in ["", "P", "PUT \(target) HTTP/1.1\r\n", "PUT \(target) HTTP/1.1\r\nHost: x\r\nContent-Le"] {
            try HTTPConnection(stack.httpSocket).send(Array(head.utf8))
        }
        try expectUntouched(stack)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A client that goes before its answer gets a whole payload stored, or none`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, options: ["--threads", "2"])
        for index in 0..<30 {
            let payload = Self.content + [UInt8(index)]
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send(
                "PUT",
                Stack.putTarget(namespace: "ns", digest: Stack.digest(payload)),
                Stack.putHeaders(),
                length: payload.count
            )
            try connection.send(payload)
        }
        try stack.expectNothingIncoming()
        for path in stack.objects {
            let digest = Stack.digest(try contents(of: "\(stack.store)/\(path)"))
            #expect(digest == "sha256:\((path as NSString).lastPathComponent)")
        }
        #expect(try stack.put(Self.content).status == 201)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Clients that read slowly or not at all do not stop the others`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, options: ["--threads", "2"])
        let payload = randomPayload(20_000_000)
        let key = try Stack.key(stack.put(payload))
        let idle = try (0..<8).map { _ in
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send("GET", Stack.getTarget(key), Stack.getHeaders(length: payload.count))
            return connection
        }
        for index in 0..<4 {
            #expect(try stack.put(Self.content + [UInt8(index)]).status == 201)
            #expect(try stack.request("HEAD", "/v2/health/head").status == 200)
        }
        // One that took its time still gets all of it.
        let whole = try idle[0].receive().body == payload
        #expect(whole)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Clients that send slowly do not stop the others`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, options: ["--threads", "2"])
        let slow = try (0..<8).map { _ in
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send(
                "PUT",
                Stack.putTarget(namespace: "ns", digest: Self.digest),
                Stack.putHeaders(),
                length: Self.content.count
            )
            try connection.send(Array(Self.content.prefix(1000)))
            return connection
        }
        #expect(try stack.put(Array("quick".utf8)).status == 201)
        try slow[0].send(Array(Self.content.dropFirst(1000)))
        #expect(try slow[0].receive().status == 201)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A metadata header of 62 KiB passes, beside others, and one over nginx's limit is one line of 400`(
        mode: Stack.Mode
    ) throws {
        let stack = try Stack(mode)
        func put(_ headerSize: Int) throws -> HTTPAnswer {
            // {"a":"<base64>"} in base64 again: 4/3 each time.
            let value = Data(repeating: 97, count: headerSize * 9 / 16 - 12).base64EncodedString()
            // What else a client sends, as cookies or tokens, takes no room from it.
            let headers = Stack.putHeaders(metadata: "{\"a\":\"\(value)\"}")
                .merging(["Authorization": String(repeating: "t", count: 20_000)]) { $1 }
            let target = Stack.putTarget(namespace: "ns", digest: Self.digest)
            return try stack.request("PUT", target, headers, body: Self.content)
        }
        #expect(try put(32 << 10).status == 201)
        #expect(try put(62 << 10).status == 201)
        let refused = try put(70 << 10)
        #expect(refused.status == 400)
        #expect(refused.headers["content-type"] == "text/plain; charset=utf-8")
        #expect(refused.text == "bad request")
    }

    @Test func `Requests that nginx itself refuses get one line of text`() throws {
        let stack = try Stack()
        let requests = [
            ("GET / HTTP/1.1\r\n\r\n", 400), ("PUT /\0 HTTP/1.1\r\n\r\n", 400),
            ("TRACE /v2/blobs/get HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            ("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET /v2/blobs/get?key=\(String(repeating: "k", count: 70_000)) HTTP/1.1\r\n\r\n", 414),
        ]
        for (text, status) in requests {
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send(Array(text.utf8))
            let answer = try connection.receive()
            #expect(answer.status == status)
            #expect(answer.headers["content-type"] == "text/plain; charset=utf-8")
            #expect(!answer.text.contains("<"))
        }
    }

    @Test func `What is no FastCGI request is closed, and the worker serves on`() throws {
        let stack = try Stack(options: ["--threads", "2"])
        let head = FastCGIClient.head(["REQUEST_METHOD": "HEAD", "SCRIPT_NAME": "/v2/health/head"])
        var tooLong = FastCGIClient.record(.beginRequest, [0, 1, 0, 0, 0, 0, 0, 0])
        // A parameter whose lengths promise 2 GiB.
        tooLong += FastCGIClient.record(.params, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
        let garbage: [[UInt8]] = [
            [], Array("GET / HTTP/1.1\r\n\r\n".utf8), Array(head.prefix(5)), Array(head.dropLast(9)),
            FastCGIClient.record(.beginRequest, [0, 9, 0, 0, 0, 0, 0, 0]), FastCGIClient.record(.beginRequest, [0, 1]),
            FastCGIClient.record(.params, [1]), [UInt8](repeating: 0xFF, count: 70_000),
            FastCGIClient.record(.beginRequest, [0, 1, 0, 0, 0, 0, 0, 0], version: 2), tooLong,
        ]
        for bytes in garbage {
            let client = try FastCGIClient(stack.workerSocket)
            client.send(bytes)
            shutdown(client.descriptor, Int32(SHUT_WR))
            #expect(client.receiveAnswer().isEmpty)
            try #require(stack.workers[0].isRunning)
        }
        let client = try FastCGIClient(stack.workerSocket)
        client.send(head)
        #expect(client.receiveAnswer().hasPrefix("Status: 200 OK\r\n"))
    }

    @Test func `A body that the web server breaks off through FastCGI stores nothing`() throws {
        let stack = try Stack()
        let target = Stack.putTarget(namespace: "ns", digest: Self.digest).split(separator: "?")
        let parameters = [
            "REQUEST_METHOD": "PUT", "SCRIPT_NAME": String(target[0]), "QUERY_STRING": String(target[1]),
            "CONTENT_TYPE": "application/octet-stream", "CONTENT_LENGTH": "\(Self.content.count)",
            "HTTP_X_TEMPORAL_METADATA": "e30=",
        ]
        for count in [0, 1, 60_000] {
            let client = try FastCGIClient(stack.workerSocket)
            client.send(FastCGIClient.head(parameters))
            if count > 0 { client.send(FastCGIClient.record(.stdin, Array(Self.content.prefix(count)))) }
            shutdown(client.descriptor, Int32(SHUT_WR))
            #expect(client.receiveAnswer().hasPrefix("Status: 400 "))
        }
        try expectUntouched(stack)
    }

    @Test func `A connection that the web server wants to keep is closed after its answer`() throws {
        let stack = try Stack(options: ["--threads", "1"])
        for _ in 0..<3 {
            let client = try FastCGIClient(stack.workerSocket)
            client.send(
                FastCGIClient.head(["REQUEST_METHOD": "HEAD", "SCRIPT_NAME": "/v2/health/head"], keepConnection: true)
            )
            client.send(FastCGIClient.record(.stdin, []))
            #expect(client.receiveAnswer().hasPrefix("Status: 200 OK\r\n"))
        }
    }
}
