import Foundation
import TestSupport
import Testing

/// Abuse of HTTP/2: nginx ends the request or the connection, nothing invalid is stored, nothing is left behind, and
/// other clients are served.
@Suite(.serialized, .runLimit) struct HTTP2AbuseTests {
    private typealias H2 = HTTP2Connection

    private let stack: Stack
    private let content = randomPayload(10_000)

    init() throws {
        stack = try Stack(workers: 2, options: ["--threads", "2"])
    }

    private func connect() throws -> HTTP2Connection {
        try HTTP2Connection(stack.tlsSocket, in: stack.folder)
    }

    private func putHead(_ payload: [UInt8], _ namespace: String, _ fields: [(String, String)] = []) -> [UInt8] {
        let usual = [("content-type", "application/octet-stream"), ("x-temporal-metadata", "e30=")]
        return H2.head("PUT", Stack.putTarget(namespace: namespace, digest: Stack.digest(payload)), usual + fields)
    }

    private func put(_ payload: [UInt8], _ namespace: String, stream: UInt32 = 1) -> [UInt8] {
        let head = putHead(payload, namespace, [("content-length", "\(payload.count)")])
        return H2.frame(.headers, flags: H2.endHeaders, stream: stream, head)
            + H2.frame(.data, flags: H2.endStream, stream: stream, payload)
    }

    /// Expects that no upload is left, that only `namespaces` have keys, and that clients are served, also over HTTP/2.
    private func expectUnharmed(_ namespaces: [String] = [], sourceLocation: SourceLocation = #_sourceLocation) throws {
        try stack.expectNothingIncoming()
        let stored = Set(stack.keys.map { $0.split(separator: "/")[1] }).sorted()
        #expect(stored.map(String.init) == namespaces.sorted(), sourceLocation: sourceLocation)
        #expect(stack.workers.allSatisfy { $0.isRunning }, sourceLocation: sourceLocation)
        let connection = try connect()
        try connection.send(put(Array("after".utf8), "after"))
        let outcome = try connection.outcome()
        #expect(outcome == .answered(201) || outcome == .answered(200), sourceLocation: sourceLocation)
        #expect(try stack.get(try stack.store(content, namespace: "after"), length: content.count).body == content)
    }

    @Test func `A rapid reset attack blocks no other client, and leaves nothing`() throws {
        let key = try stack.store(content, namespace: "mine")
        let fields = Stack.getHeaders(length: content.count).map { ($0.key.lowercased(), $0.value) }
        let get = H2.head("GET", Stack.getTarget(key), fields)
        let cancel = [UInt8]([0, 0, 0, 8])
        let attackers = try (0..<4).map { _ in try connect() }
        let done = Counter()
        // 12000 requests, half of them aborted uploads.
        try concurrently(attackers.count + 1) { [content, stack] client in
            if client == attackers.count {
                var served = 0
                while done.value < attackers.count || served < 5 {
                    let payload = Array("\(served)".utf8)
                    let answer = try stack.put(payload, namespace: "others")
                    #expect(answer.status == 201)
                    #expect(try stack.get(Stack.key(answer), length: payload.count).body == payload)
                    #expect(try stack.request("HEAD", "/v2/health/head").status == 200)
                    served += 1
                }
                return
            }
            defer { done.add() }
            for number in 0..<UInt32(1500) {
                let (download, upload) = (4 * number + 1, 4 * number + 3)
                let cut = self.putHead(content, "cut", [("content-length", "\(content.count)")])
                try attackers[client].send(
                    H2.frame(.headers, flags: H2.endHeaders | H2.endStream, stream: download, get)
                        + H2.frame(.resetStream, stream: download, cancel)
                        + H2.frame(.headers, flags: H2.endHeaders, stream: upload, cut)
                        + H2.frame(.data, stream: upload, Array(content.prefix(100)))
                        + H2.frame(.resetStream, stream: upload, cancel)
                )
            }
        }
        // nginx closes each connection long before its last request.
        for attacker in attackers {
            try eventually("the connection is closed") { attacker.isClosed }
            let last = try #require(attacker.frames.last { $0.type == .goAway }).payload
            let stream = last.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            #expect(stream < 4 * 1499, "the last upload's stream is \(4 * 1499 + 3)")
        }
        try expectUnharmed(["mine", "others"])
    }

    @Test func `nginx refuses streams over its limit, and answers the others`() throws {
        let connection = try connect()
        // Few enough that nginx does not close the connection.
        let streams = (0..<200).map { UInt32(2 * $0 + 1) }
        let head = putHead(content, "mine", [("content-length", "\(content.count)")])
        try connection.send(streams.flatMap { H2.frame(.headers, flags: H2.endHeaders, stream: $0, head) })
        try eventually("some streams are refused") {
            connection.isClosed || connection.frames.contains { $0.type == .resetStream }
        }
        let refused = connection.frames.filter { $0.type == .resetStream }
        // REFUSED_STREAM: a client may retry them.
        #expect(!refused.isEmpty && refused.allSatisfy { $0.payload == [0, 0, 0, 7] })
        let admitted = try #require(streams.first { stream in !refused.contains { $0.stream == stream } })
        try connection.send(H2.frame(.data, flags: H2.endStream, stream: admitted, content))
        #expect(try connection.outcome(ofStream: admitted) == .answered(201))
        #expect(try stack.put(content, namespace: "others").status == 201)
        try connection.send(H2.frame(.goAway, [0, 0, 0, 0, 0, 0, 0, 0]))
    }

    @Test func `Endless frames use no memory, and block no other client`() throws {
        let head = H2.head("GET", "/v2/blobs/get?key=k")
        let filler = H2.field("x", String(repeating: "y", count: 1000))
        func many(_ frame: [UInt8], _ count: Int) -> [UInt8] { (0..<count).flatMap { _ in frame } }
        let floods: [(String, [UInt8])] = [
            ("fields that continue", many(H2.frame(.continuation, stream: 1, filler), 3000)),
            ("fields that continue, empty", many(H2.frame(.continuation, stream: 1), 100_000)),
            ("settings", many(H2.frame(.settings, [0, 3, 0, 0, 0, 100]), 30_000)),
            ("a settings frame of 2700 settings", H2.frame(.settings, many([0, 3, 0, 0, 0, 100], 2700))),
            ("pings", many(H2.frame(.ping, Array("12345678".utf8)), 50_000)),
            ("priorities", (0..<30_000).flatMap { H2.frame(.priority, stream: 2 * $0 + 1, [0, 0, 0, 0, 16]) }),
            ("a stream's windows", many(H2.frame(.windowUpdate, stream: 1, [0, 0, 0, 1]), 50_000)),
            ("no data", many(H2.frame(.data, stream: 1), 50_000)),
            ("frames of an unknown type", many(H2.frame(.pushPromise, stream: 1, [0, 0, 0, 2]), 1000)),
        ]
        for (name, flood) in floods {
            let connection = try connect()
            if name.hasPrefix("fields") {
                try connection.send(H2.frame(.headers, flags: H2.endStream, stream: 1, head))
            } else if name.contains("stream's") || name.contains("no data") {
                let head = putHead(content, "flood", [("content-length", "\(content.count)")])
                try connection.send(H2.frame(.headers, flags: H2.endHeaders, stream: 1, head))
            }
            try connection.send(flood)
            #expect(try stack.request("HEAD", "/v2/health/head").status == 200, "\(name)")
            // nginx answers this ping once it has read the flood, unless it closes the connection first.
            let end = Array("the end.".utf8)
            try connection.send(H2.frame(.ping, end))
            try eventually("nginx has read \(name)") {
                connection.isClosed
                    || connection.frames.contains { $0.type == .goAway || $0.type == .ping && $0.payload == end }
            }
            for process in try stack.nginx.children() {
                #expect(try #require(processStatus(process, "VmRSS")) < 100_000, "KiB of nginx after \(name)")
            }
        }
        try expectUnharmed()
    }

    /// Sends each malformed request on a new connection, and expects nginx to end the request or the connection.
    private func expectRefused(_ wrong: [(name: String, bytes: [UInt8])]) throws {
        for (name, bytes) in wrong {
            let connection = try connect()
            try connection.send(bytes)
            let outcome = try connection.outcome()
            #expect([.answered(400), .reset, .closed].contains(outcome), "\(name): \(outcome)")
        }
        try expectUnharmed()
    }

    @Test func `nginx refuses compressed header fields that expand beyond its limits`() throws {
        let head = H2.head("GET", "/v2/x?key=k")
        // A field of 3900 bytes in the table, and 4000 references to it: a few KB expand to 15 MB.
        let entry = [0x40] + H2.literal(Array("x".utf8)) + H2.literal([UInt8](repeating: 121, count: 3900))
        let blocks: [(String, [UInt8])] = [
            ("references", head + entry + [UInt8](repeating: 0xBE, count: 4000)),
            ("a table of 4 GiB", H2.integer(0xFFFF_FFFF, 31).enumerated().map { $0 == 0 ? $1 | 0x20 : $1 } + head),
            ("a missing entry", head + [0xFF, 0xFF, 0xFF, 0x7F]),
            ("an endless length", head + [0, 0x7F] + [UInt8](repeating: 0xFF, count: 200)),
            ("Huffman's end of string", head + [0, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0]),
            ("many fields", head + (0..<1500).flatMap { H2.field("x\($0)", "y") }),
        ]
        try expectRefused(
            blocks.map { ($0, H2.frame(.headers, flags: H2.endHeaders | H2.endStream, stream: 1, $1)) }
        )
        #expect(!stack.accessLog.contains("/v2/x"), "no worker has received one")
    }

    @Test func `An ambiguous request is refused, and stores nothing`() throws {
        let length = ("content-length", "\(content.count)")
        let heads: [(String, [UInt8])] = [
            ("two lengths", putHead(content, "ns", [length, length])),
            ("two different lengths", putHead(content, "ns", [length, ("content-length", "1")])),
            ("a signed length", putHead(content, "ns", [("content-length", "+\(content.count)")])),
            ("too long", putHead(content, "ns", [("content-length", "\(content.count - 1)")])),
            ("too short", putHead(content, "ns", [("content-length", "\(content.count + 1)")])),
            ("two paths", putHead(content, "ns", [(":path", Stack.getTarget("k")), length])),
            ("another host", putHead(content, "ns", [("host", "elsewhere"), length])),
            ("lines in a value", putHead(content, "ns", [("x", "y\r\nx-temporal-metadata: e30="), length])),
            ("NUL in a value", putHead(content, "ns", [("x", "y\0"), length])),
            ("a field in a name", putHead(content, "ns", [("x-temporal-metadata: e30=\r\nx", "y"), length])),
            ("upper case", putHead(content, "ns", [("X-Temporal-Metadata", "e30="), length])),
            ("a line in the path", H2.head("PUT", "/v2/blobs/put HTTP/1.1\r\nHost: x\r\n\r\n", [length])),
            ("a line in the method", H2.head("PUT /v2/blobs/put HTTP/1.1\r\n\r\nGET", "/v2/x", [length])),
            ("no path", H2.field(":method", "PUT") + H2.field(":scheme", "https")),
            ("no authority", H2.field(":method", "GET") + H2.field(":path", "/")),
        ]
        let body = H2.frame(.data, flags: H2.endStream, stream: 1, content)
        try expectRefused(heads.map { ($0, H2.frame(.headers, flags: H2.endHeaders, stream: 1, $1) + body) })
    }

    @Test func `Frames with a wrong stream or length end the connection, and store nothing`() throws {
        let payload = Array("hello".utf8)
        let head = putHead(payload, "ns", [("content-length", "5")])
        let upload = H2.frame(.headers, flags: H2.endHeaders, stream: 1, head)
        try expectRefused([
            ("an even stream", H2.frame(.headers, flags: H2.endHeaders, stream: 2, putHead(payload, "ns"))),
            ("fields of another stream", H2.frame(.headers, stream: 1, []) + H2.frame(.continuation, stream: 3)),
            ("data between fields", H2.frame(.headers, stream: 1, []) + H2.frame(.data, stream: 1, payload)),
            (
                "padding longer than the frame",
                upload + H2.frame(.data, flags: 8 | H2.endStream, stream: 1, [255] + payload)
            ),
            ("a window over 2 GiB", upload + H2.frame(.windowUpdate, [0x7F, 0xFF, 0xFF, 0xFF])),
            ("a stream that depends on itself", H2.frame(.priority, stream: 1, [0, 0, 0, 1, 16])),
            ("settings of 5 bytes", H2.frame(.settings, [0, 3, 0, 0, 0])),
            ("a ping of 7 bytes", H2.frame(.ping, Array("1234567".utf8))),
            ("a stream that was closed before", H2.frame(.headers, flags: 5, stream: 3, H2.head("GET", "/")) + upload),
        ])
    }

    @Test func `Trailers do not change a request`() throws {
        let payload = Array("hello".utf8)
        for trailers in [[("x-temporal-metadata", "e31=")], [(":path", "/v2/x")], [("content-length", "4")]] {
            let connection = try connect()
            let head = putHead(payload, "trailed", [("content-length", "5")])
            let end = trailers.flatMap { H2.field($0, $1) }
            try connection.send(
                H2.frame(.headers, flags: H2.endHeaders, stream: 1, head) + H2.frame(.data, stream: 1, payload)
                    + H2.frame(.headers, flags: H2.endHeaders | H2.endStream, stream: 1, end)
            )
            // Debian 12's nginx refuses trailers; later versions ignore them.
            let outcome = try connection.outcome()
            #expect([.closed, .reset, .answered(400), .answered(201), .answered(200)].contains(outcome), "\(outcome)")
        }
        let names = stack.keys.filter { $0.hasPrefix("keys/trailed/") }
        #expect(names.count <= 1 && names.allSatisfy { $0.hasSuffix(".\(Stack.digest([]).dropFirst(7))") }, "\(names)")
        try expectUnharmed(names.isEmpty ? [] : ["trailed"])
    }
}
