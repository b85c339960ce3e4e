import Foundation
import TestSupport
import Testing

/// Limits per client in nginx's complete site.
@Suite(.serialized, .runLimit) struct ConnectionLimitTests {
    @Test func `nginx closes a connection that sends no request`() throws {
        let stack = try Stack { conf in
            conf.replacingOccurrences(of: "client_header_timeout 15s;", with: "client_header_timeout 1s;")
        }
        let begun = Date()
        let silent = try HTTPConnection(stack.tlsSocket)
        // The start of a TLS record of 16 KiB.
        let slow = try HTTPConnection(stack.tlsSocket)
        try slow.send([22, 3, 1, 0x40, 0, 1])
        for connection in [silent, slow] {
            let answers = try connection.receiveAll()
            #expect(answers.isEmpty)
        }
        // nginx's default is 60 seconds.
        #expect(Date().timeIntervalSince(begun) < 45)
    }

    @Test func `With a limit per address, excess requests get 429, and later ones succeed`() throws {
        let stack = try Stack { conf in
            conf.replacingOccurrences(of: "# limit_conn_zone", with: "limit_conn_zone")
                .replacingOccurrences(of: "# limit_conn lps_addresses 100;", with: "limit_conn lps_addresses 2;")
                .replacingOccurrences(of: "# limit_conn_status 429;", with: "limit_conn_status 429;")
        }
        let payload = Array("hello".utf8)
        let target = Stack.putTarget(namespace: "ns", digest: Stack.digest(payload))
        let fields = [
            ("content-type", "application/octet-stream"), ("x-temporal-metadata", "e30="), ("content-length", "5"),
        ]
        let connection = try HTTP2Connection(stack.tlsSocket, in: stack.folder)
        func begin(_ stream: UInt32) throws {
            let head = HTTP2Connection.head("PUT", target, fields)
            try connection.send(
                HTTP2Connection.frame(.headers, flags: HTTP2Connection.endHeaders, stream: stream, head)
            )
        }
        func end(_ stream: UInt32) throws {
            let end = HTTP2Connection.endStream
            try connection.send(HTTP2Connection.frame(.data, flags: end, stream: stream, payload))
        }
        for stream in [UInt32(1), 3, 5] { try begin(stream) }
        #expect(try connection.outcome(ofStream: 5) == .answered(429))
        func data() -> [HTTP2Connection.Frame] { connection.frames.filter { $0.type == .data && $0.stream == 5 } }
        try eventually("the whole text has arrived") { data().contains { $0.flags & HTTP2Connection.endStream != 0 } }
        let text = data().flatMap(\.payload)
        #expect(String(decoding: text, as: UTF8.self) == "too many requests at once")
        for stream in [UInt32(1), 3] { try end(stream) }
        // Either stream may have stored it first.
        for stream in [UInt32(1), 3] {
            let outcome = try connection.outcome(ofStream: stream)
            #expect(outcome == .answered(200) || outcome == .answered(201), "\(outcome)")
        }
        try begin(7)
        try end(7)
        #expect(try connection.outcome(ofStream: 7) == .answered(200))
        try stack.expectNothingIncoming()
    }
}
