import AsyncHTTPClient
import Foundation
import LargePayloadCodec
import NIOSSL
import TestSupport
import Testing

extension JSONPayload: TemporalPayload {}

/// Tests the Swift library over real HTTP, against a deployed service and against misbehaving servers.
@Suite(.serialized, .runLimit) struct SwiftCodecTests {
    private func options(_ socket: String, _ edit: (inout LargePayloadCodec.Options) -> Void = { _ in })
        -> LargePayloadCodec.Options
    {
        var options = LargePayloadCodec.Options(url: "http+unix://\(Stack.escape(socket))", namespace: "default")
        options.retries = .init(
            giveUpAfter: .seconds(60),
            initialDelay: .milliseconds(1),
            maximumDelay: .seconds(1)
        )
        edit(&options)
        return options
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Payloads of all sizes are stored and restored with their metadata`(mode: Stack.Mode) async throws {
        let stack = try Stack(mode)
        let codec = try await LargePayloadCodec(options(stack.httpSocket) { $0.namespace = "a b é" })
        let payloads = [
            JSONPayload(randomPayload(200_000)), JSONPayload(Array("small".utf8)), JSONPayload(randomPayload(10 << 20)),
            JSONPayload(randomPayload(300_000), metadata: ["remote-codec/key-prefix": "team/a", "é": "\u{0}"]),
            JSONPayload(randomPayload(150_000), metadata: [:]),
        ]
        let encoded = try await codec.encode(payloads: payloads)
        #expect(encoded[1] == payloads[1])
        let size = try encoded.map { try JSONEncoder().encode($0).count }.reduce(0, +)
        #expect(size < 4000, "the size in the history")
        #expect(try await codec.decode(payloads: encoded) == payloads)
        #expect(try await codec.encode(payloads: payloads) == encoded, "a second upload gives the same references")
        try stack.expectNothingIncoming()
    }

    @Test func `The codec server decodes what the library encodes, and vice versa`() async throws {
        let stack = try Stack()
        let codec = try await LargePayloadCodec(options(stack.httpSocket))
        let payloads = [
            JSONPayload(randomPayload(500_000), metadata: ["encoding": "json/plain", "<&>\u{2028}": "é"]),
            JSONPayload(Array("small".utf8)),
            JSONPayload(randomPayload(200_000), metadata: ["remote-codec/key-prefix": "p"]),
            JSONPayload(randomPayload(200_000), metadata: [:]),
        ]
        let byLibrary = try await codec.encode(payloads: payloads)
        let byServer = try JSONPayloads(stack.codec("encode", JSONPayloads(payloads).json)).payloads
        #expect(byLibrary == byServer)
        #expect(try JSONPayloads(stack.codec("decode", JSONPayloads(byLibrary).json)).payloads == payloads)
        #expect(try await codec.decode(payloads: byServer) == payloads)
    }

    /// Runs `body` with options for the stack's TLS socket and an HTTP client that trusts its certificate.
    private func withTLS<Value>(_ stack: Stack, _ body: (LargePayloadCodec.Options) async throws -> Value) async throws
        -> Value
    {
        var configuration = HTTPClientTransport.configuration
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(stack.folder.file("cert.pem"))
        tls.certificateVerification = .noHostnameVerification
        configuration.tlsConfiguration = tls
        let client = HTTPClient(configuration: configuration)
        var options = options(stack.tlsSocket)
        options.url = "https+unix://\(Stack.escape(stack.tlsSocket))"
        options.transport = HTTPClientTransport(client)
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(options))
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        return try result.get()
    }

    @Test func `TLS works with the certificates that the HTTP client trusts`() async throws {
        let stack = try Stack()
        try await withTLS(stack) { options in
            let codec = try await LargePayloadCodec(options)
            let payload = JSONPayload(randomPayload(200_000))
            #expect(try await codec.decode(payloads: codec.encode(payloads: [payload])) == [payload])
            // The shared HTTP client does not trust the certificate.
            let unknowing = self.options(stack.tlsSocket) { $0.url = options.url }
            let error = await #expect(throws: LargePayloadCodecError.self) { try await LargePayloadCodec(unknowing) }
            #expect(error?.code == .noAnswer)
            #expect(error?.message == "the server's certificate is not trusted, or has expired")
        }
    }

    @Test func `No call fails when nginx closes an HTTP/2 connection after its request limit`() async throws {
        let stack = try Stack(nginx: {
            $0.replacingOccurrences(of: "keepalive_requests 1000;", with: "keepalive_requests 20;")
        })
        try await withTLS(stack) { options in
            let codec = try await LargePayloadCodec(options)
            let payload = JSONPayload(randomPayload(150_000))
            let encoded = try await codec.encode(payloads: [payload])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        for _ in 0..<100 {
                            let decoded = try await codec.decode(payloads: encoded)
                            #expect(decoded == [payload])
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `Errors contain the service's status and message, and the request's ID`() async throws {
        let stack = try Stack(options: ["--max-payload", "200000"])
        let codec = try await LargePayloadCodec(options(stack.httpSocket) { $0.permanentFailures = .throwError })
        let tooLarge = await #expect(throws: LargePayloadCodecError.self) {
            try await codec.encode(payloads: [JSONPayload(randomPayload(200_001))])
        }
        #expect(tooLarge?.status == 413)
        #expect(tooLarge?.message == "payload exceeds max size of 200000 bytes")
        var encoded = try await codec.encode(payloads: [JSONPayload(randomPayload(200_000))])
        let text = String(decoding: encoded[0].data, as: UTF8.self).replacingOccurrences(
            of: "/default/",
            with: "/other/"
        )
        encoded[0].data = Data(text.utf8)
        let elsewhere = encoded
        let missing = await #expect(throws: LargePayloadCodecError.self) { try await codec.decode(payloads: elsewhere) }
        #expect(missing?.status == 404)
        #expect(missing?.message == "blob not found")
        #expect(missing?.key?.hasPrefix("/blobs/other/common/") == true)
        let id = try #require(missing?.requestID)
        try eventually("the access log has the ID \(id)") { stack.accessLog.contains(id) }
    }

    @Test func `While the service's disk is full, a codec that only decodes can be created`() async throws {
        let stack = try Stack(options: ["--reserve", "4000000000g"], health: 503)
        let error = await #expect(throws: LargePayloadCodecError.self) {
            try await LargePayloadCodec(options(stack.httpSocket) { $0.retries = .never })
        }
        #expect(error?.status == 503)
        _ = try await LargePayloadCodec(options(stack.httpSocket) { $0.isDecodeOnly = true })
    }

    @Test func `Uploads that wait for their turn do not fail, however long the service takes for each`() async throws {
        // All together take longer than the limit of a connection or a request.
        let server = try ScriptedServer { _, _ in [.wait(600), .answer(201, [], #"{"Key":"/k"}"#)] }
        var configuration = HTTPClientTransport.configuration
        configuration.timeout.connect = .seconds(2)
        let client = HTTPClient(configuration: configuration)
        var options = options(server, timeout: .seconds(4))
        options.transport = HTTPClientTransport(client)
        options.minimumSize = 32
        let codec = try await LargePayloadCodec(options)
        let failures = Counter()
        await withTaskGroup(of: Void.self) { calls in
            for call in 0..<120 {
                calls.addTask {
                    let payload = JSONPayload(randomPayload(100 + call))
                    do {
                        let encoded = try await codec.encode(payloads: [payload])
                        #expect(encoded[0].metadata["temporal.io/remote-codec"] != nil)
                    } catch {
                        Issue.record(error)
                        failures.add()
                    }
                }
            }
        }
        try await client.shutdown()
        #expect(failures.value == 0)
        #expect(server.requests.count == 120)
        // The HTTP client's own limit, 8 by default, did not make them wait.
        #expect(server.connectionCount > 8)
    }

    @Test func `While no worker runs, requests are retried until one starts`() async throws {
        let stack = try Stack()
        let codec = try await LargePayloadCodec(options(stack.httpSocket) { $0.retries.giveUpAfter = .seconds(60) })
        for worker in stack.workers { stack.stop(worker) }
        let socket = stack.workerSocket
        try FileManager.default.moveItem(atPath: socket, toPath: socket + ".away")
        let payload = JSONPayload(randomPayload(200_000))
        let call = Task { try await codec.encode(payloads: [payload]) }
        try eventually("nginx has refused") { stack.accessLog.contains("status=503") }
        try FileManager.default.moveItem(atPath: socket + ".away", toPath: socket)
        try stack.startWorkers(1)
        #expect(try await codec.decode(payloads: call.value) == [payload])
    }

    /// Options for a server on the loopback address, without health check and retries. All failures are thrown.
    private func options(_ server: ScriptedServer, timeout: Duration = .seconds(60)) -> LargePayloadCodec.Options {
        var options = LargePayloadCodec.Options(url: "http://127.0.0.1:\(server.port)", namespace: "default")
        options.skipsHealthCheck = true
        options.requestTimeout = timeout
        options.retries = .never
        options.permanentFailures = .throwError
        return options
    }

    private func reference(size: Int) -> JSONPayload {
        JSONPayload(
            Array(#"{"metadata":{},"size":\#(size),"digest":"\#(Stack.digest([]))","key":"/k"}"#.utf8),
            metadata: ["temporal.io/remote-codec": "v2"]
        )
    }

    @Test func `A missing server is an error at once, not at the time limit`() async throws {
        let folder = try TemporaryFolder()
        let error = await #expect(throws: LargePayloadCodecError.self) {
            try await LargePayloadCodec(
                options(folder.file("socket")) {
                    $0.requestTimeout = .seconds(3600)
                    $0.retries = .never
                }
            )
        }
        #expect(error?.code == .noAnswer)
        #expect(error?.cause != nil)
    }

    @Test func `A server that hangs is an error at the time limit, and its call can be cancelled`()
        async throws
    {
        let server = try ScriptedServer { _, _ in [.stall] }
        let impatient = try await LargePayloadCodec(options(server, timeout: .milliseconds(100)))
        let error = await #expect(throws: LargePayloadCodecError.self) {
            try await impatient.decode(payloads: [reference(size: 1)])
        }
        #expect(error?.code == .noAnswer)
        let patient = try await LargePayloadCodec(options(server))
        let call = Task { try await patient.decode(payloads: [reference(size: 1)]) }
        while server.requests.count < 2 { try await Task.sleep(for: .milliseconds(1)) }
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
    }

    @Test func `A download that stalls is cancelled at the time limit`() async throws {
        let server = try ScriptedServer { _, _ in [.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"), .stall]
        }
        let codec = try await LargePayloadCodec(options(server, timeout: .milliseconds(200)))
        let error = await #expect(throws: LargePayloadCodecError.self) {
            try await codec.decode(payloads: [reference(size: 1000)])
        }
        #expect(error?.code == .noAnswer)
        try eventually("the connection was closed") { server.openConnectionCount == 0 }
    }

    @Test func `A download longer than announced is not read to the end`() async throws {
        // The answer never ends: the server waits until the client closes the connection.
        let chunk = "10000\r\n" + String(repeating: "0", count: 65_536) + "\r\n"
        let server = try ScriptedServer { _, _ in
            [.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), .send(chunk), .send(chunk), .stall]
        }
        let codec = try await LargePayloadCodec(options(server))
        let error = await #expect(throws: LargePayloadCodecError.self) {
            try await codec.decode(payloads: [reference(size: 100_000)])
        }
        #expect(error?.code == .contentMismatch)
        #expect(error?.message == "the payload has more than 100000 bytes, expected 100000")
        try eventually("the connection was closed") { server.openConnectionCount == 0 }
    }
}
