import Foundation
import TestSupport
import Testing

/// Requests whose end two parsers would see in different places: bytes hidden in one must never become a request.
@Suite(.serialized, .runLimit) struct SmugglingTests {
    /// An upload to `mine`, up to the fields that frame its body.
    private static let line = "PUT \(Stack.putTarget(namespace: "mine", digest: helloWorldDigest)) HTTP/1.1"
    private static let fields = "Host: localhost\r\nContent-Type: application/octet-stream\r\nX-Temporal-Metadata: e30="
    private static let head = "\(line)\r\n\(fields)\r\n"
    /// The request that an attacker hides behind it. If it is taken for a request, it is answered and the connection is
    /// closed.
    private static let hidden = """
        PUT \(Stack.putTarget(namespace: "other", digest: helloWorldDigest)) HTTP/1.1\r
        \(fields)\r\nConnection: close\r\nContent-Length: 11\r\n\r\nhello world
        """

    private func statuses(_ stack: Stack, _ bytes: String) throws -> [Int] {
        let connection = try HTTPConnection(stack.httpSocket)
        try connection.send(Array(bytes.utf8))
        let answers = try connection.receiveAll()
        for answer in answers where answer.status >= 400 { expectError(answer, answer.status, nil, bytes) }
        return answers.map(\.status)
    }

    /// Bodies with an ambiguous end, and the status of each refusal.
    private static let doubtful: [(String, String, Int)] = [
        ("length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        ("a length twice", "Content-Length: 11\r\nContent-Length: 11\r\n\r\nhello world", 400),
        ("two lengths", "Content-Length: 11\r\nContent-Length: 0\r\n\r\nhello world", 400),
        ("a list of lengths", "Content-Length: 11, 11\r\n\r\nhello world", 400),
        ("a sign", "Content-Length: +11\r\n\r\nhello world", 400),
        ("below zero", "Content-Length: -1\r\n\r\nhello world", 400),
        ("in hexadecimal", "Content-Length: 0xB\r\n\r\nhello world", 400),
        ("no number", "Content-Length: \r\n\r\nhello world", 400),
        ("over 64 bits", "Content-Length: 18446744073709551627\r\n\r\nhello world", 400),
        ("a space before the colon", "Content-Length : 11\r\n\r\nhello world", 400),
        ("a space before the other colon", "Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 400),
        ("a folded line", "X: y\r\n Content-Length: 11\r\n\r\nhello world", 400),
        ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
        ("a carriage return in a value", "X: y\rContent-Length: 0\r\nContent-Length: 11\r\n\r\nhello world", 400),
        ("NUL in a value", "X: y\0\r\nContent-Length: 11\r\n\r\nhello world", 400),
        ("a coding twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
        ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
        ("not quite chunked", "Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 501),
        ("chunked in quotes", "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501),
        ("a vertical tab", "Transfer-Encoding: \u{B}chunked\r\n\r\n0\r\n\r\n", 501),
        ("identity", "Transfer-Encoding: identity\r\nContent-Length: 11\r\n\r\nhello world", 501),
        ("compressed", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("no coding", "Transfer-Encoding: \r\nContent-Length: 11\r\n\r\nhello world", 501),
        ("a chunk of 2^64 + 5", "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", 400),
        ("a chunk below zero", "Transfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n0\r\n\r\n", 400),
        ("a chunk of 0x5", "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400),
        ("a chunk without size", "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", 400),
        ("a chunk that is longer than it says", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello w\r\n0\r\n\r\n", 400),
        ("a chunk over the largest payload", "Transfer-Encoding: chunked\r\n\r\n40000001\r\nhello\r\n0\r\n\r\n", 413),
    ]

    @Test(arguments: Stack.Mode.allCases)
    func `A body with an ambiguous end is refused with all that follows, and stores nothing`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        for (name, framing, status) in Self.doubtful {
            #expect(try statuses(stack, Self.head + framing + Self.hidden) == [status], "\(name)")
        }
        // HTTP/1.0 has no chunks.
        let old = Self.head.replacingOccurrences(of: "HTTP/1.1", with: "HTTP/1.0") + "Connection: keep-alive\r\n"
        #expect(try statuses(stack, old + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Self.hidden) == [400])
        try stack.expectNothingIncoming()
        #expect(stack.tree.isEmpty, "\(stack.tree)")
        #expect(try stack.put(helloWorld).status == 201)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A request after a complete body gets its own answer`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let body = "Content-Length: 11\r\n\r\nhello world"
        #expect(try statuses(stack, Self.head + body + Self.hidden) == [201, 201])
        #expect(
            Set(stack.keys.map { $0.split(separator: "/")[1] }) == ["mine", "other"]
        )
        // Bare line feeds end lines, too, and the body stays the same.
        let bare = (Self.head + "Content-Length: 11\r\n\r\n").replacingOccurrences(of: "\r\n", with: "\n")
        #expect(try statuses(stack, bare + "hello world" + Self.hidden) == [200, 200])
        // The body of a refused request is not taken for a request.
        let digest = Stack.digest(Array(Self.hidden.utf8))
        let refused = """
            PUT \(Stack.putTarget(namespace: "..", digest: digest)) HTTP/1.1\r
            \(Self.fields)\r\nContent-Length: \(Self.hidden.utf8.count)\r\n\r\n\(Self.hidden)
            """
        let last = "HEAD /v2/health/head HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        let connection = try HTTPConnection(stack.httpSocket)
        try connection.send(Array((refused + last).utf8))
        #expect(try connection.receive().status == 400)
        #expect(try connection.receive(answerTo: "HEAD").status == 200)
        // Nor is the body of a GET, which is ignored.
        let get =
            "GET \(Stack.getTarget("x")) HTTP/1.1\r\n\(Self.fields)\r\nContent-Length: \(Self.hidden.utf8.count)\r\n"
        let fetching = try HTTPConnection(stack.httpSocket)
        try fetching.send(Array("\(get)\r\n\(Self.hidden)\(last)".utf8))
        #expect(try fetching.receive().status == 400)
        #expect(try fetching.receive(answerTo: "HEAD").status == 200)
        try stack.expectNothingIncoming()
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A chunked upload is refused, whatever length its chunks and trailers give`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let codings = ["chunked", "Chunked", " chunked "]
        let bodies = [
            "b\r\nhello world\r\n0\r\n\r\n", "B;name=value\r\nhello world\r\n0\r\n\r\n",
            "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "0000000b\r\nhello world\r\n000\r\n\r\n",
            "b\r\nhello world\r\n0\r\nContent-Length: 11\r\nX-Temporal-Metadata: e30=\r\n\r\n",
        ]
        for coding in codings {
            for body in bodies {
                let request = Self.head + "Transfer-Encoding: \(coding)\r\n\r\n" + body
                let next = stack.tree.isEmpty ? 201 : 200
                #expect(try statuses(stack, request + Self.hidden) == [411, next], "\(body)")
            }
        }
        #expect(stack.tree.allSatisfy { !$0.hasPrefix("keys/mine") })
        try stack.expectNothingIncoming()
    }

    @Test func `Expect and Upgrade headers change no decision`() throws {
        let stack = try Stack()
        let body = "Content-Length: 11\r\n\r\nhello world"
        for (value, taken) in [("100-continue", 201), ("200-ok", 200), ("100-continue, 100-continue", 200), ("", 200)] {
            #expect(try statuses(stack, "\(Self.head)Connection: close\r\nExpect: \(value)\r\n\(body)") == [taken])
        }
        // A body that is too large is refused before it is sent.
        let connection = try HTTPConnection(stack.httpSocket)
        try connection.send(Array("\(Self.head)Expect: 100-continue\r\nContent-Length: 1073741825\r\n\r\n".utf8))
        #expect(try connection.receiveHead().status == 413)
        for upgrade in ["h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "websocket", "TLS/1.0"] {
            let fields = "Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: \(upgrade)\r\n"
            #expect(try statuses(stack, Self.head + fields + body) == [200], "\(upgrade)")
        }
        try stack.expectNothingIncoming()
    }
}
