import Foundation
import TestSupport
import Testing

/// Well-formed but odd requests: each is always interpreted in the same way.
@Suite(.serialized, .runLimit) struct OddRequestTests {
    private static let target = Stack.putTarget(namespace: "mine", digest: helloWorldDigest)
    private static let metadata = ["e30=", Data(#"{"a":"Yg=="}"#.utf8).base64EncodedString()]

    private func answer(_ stack: Stack, _ head: String, _ body: String = "") throws -> HTTPAnswer {
        let connection = try HTTPConnection(stack.httpSocket)
        try connection.send(Array("\(head)\r\nConnection: close\r\n\r\n\(body)".utf8))
        return try connection.receive()
    }

    private func upload(_ stack: Stack, _ fields: String..., target: String = target) throws -> HTTPAnswer {
        let head = ["PUT \(target) HTTP/1.1", "Host: localhost", "Content-Length: 11"] + fields
        return try answer(stack, head.joined(separator: "\r\n"), "hello world")
    }

    @Test func `When a header field is sent twice, the first one always counts`() throws {
        let stack = try Stack(workers: 2)
        let type = "Content-Type: application/octet-stream"
        let plain = try Stack.key(upload(stack, type, "X-Temporal-Metadata: \(Self.metadata[0])"))
        let named = try Stack.key(upload(stack, type, "X-Temporal-Metadata: \(Self.metadata[1])"))
        #expect(plain != named)
        for _ in 0..<3 {
            for (fields, key) in [(Self.metadata, plain), (Self.metadata.reversed(), named)] {
                let twice = fields.map { "X-Temporal-Metadata: \($0)" }.joined(separator: "\r\nX-Other: y\r\n")
                let stored = try upload(stack, type, twice)
                // Later versions of nginx join the two values, which is not valid base64.
                #expect(stored.status == 400 || (stored.status == 200 && (try? Stack.key(stored)) == key))
            }
            let types = "\(type)\r\nContent-Type: text/plain"
            #expect(try [200, 400].contains(upload(stack, types, "X-Temporal-Metadata: e30=").status))
            let wrong = try upload(stack, "Content-Type: text/plain\r\n\(type)", "X-Temporal-Metadata: e30=")
            #expect(wrong.status == 400)
            for (lengths, expected) in [([11, 12], 200), ([12, 11], 412)] {
                let fields = lengths.map { "X-Payload-Expected-Content-Length: \($0)" }
                let head = ["GET \(Stack.getTarget(plain)) HTTP/1.1", "Host: localhost", type] + fields
                let fetched = try answer(stack, head.joined(separator: "\r\n"))
                #expect(fetched.status == expected || fetched.status == 400)
            }
        }
        // Values that a server in front of the worker joins are invalid.
        expectError(try upload(stack, type, "X-Temporal-Metadata: e30=, e30="), 400, nil, "two values in one")
        expectError(
            try stack.get(plain, length: 11, ["X-Payload-Expected-Content-Length": "11, 11"]),
            400,
            nil,
            "two lengths in one"
        )
        #expect(stack.keys.count == 2)
        try stack.expectNothingIncoming()
    }

    @Test func `A header name with underscores is not taken for the one with hyphens`() throws {
        let stack = try Stack()
        let type = "Content-Type: application/octet-stream"
        let plain = try Stack.key(upload(stack, type, "X-Temporal-Metadata: e30="))
        for name in ["X_Temporal_Metadata", "X-Temporal_Metadata", "HTTP_X_TEMPORAL_METADATA", "X.Temporal.Metadata"] {
            let forged = "\(name): \(Self.metadata[1])"
            for fields in ["X-Temporal-Metadata: e30=\r\n\(forged)", "\(forged)\r\nX-Temporal-Metadata: e30="] {
                let stored = try upload(stack, type, fields)
                #expect(stored.status == 200 || stored.status == 400, "\(name)")
                if stored.status == 200 { #expect(try Stack.key(stored) == plain, "\(name)") }
            }
            #expect(try upload(stack, type, forged).status == 400, "no metadata at all: \(name)")
        }
        #expect(try upload(stack, "Content_Type: application/octet-stream", "X-Temporal-Metadata: e30=").status == 400)
        // Header names are case-insensitive.
        #expect(
            try Stack.key(upload(stack, type.replacing("Content", with: "CONTENT"), "x-temporal-metadata: e30="))
                == plain
        )
        #expect(stack.keys.count == 1)
    }

    @Test func `500 header fields pass, and too many or too large ones are refused`() throws {
        let stack = try Stack()
        let usual = "Content-Type: application/octet-stream\r\nX-Temporal-Metadata: e30="
        let many = (0..<500).map { "X\($0): y" }.joined(separator: "\r\n")
        #expect(try upload(stack, many, usual).status == 201)
        for fields in [
            (0..<40_000).map { "X\($0): y" }.joined(separator: "\r\n"), "\(String(repeating: "X", count: 70_000)): y",
            "X: \(String(repeating: "y", count: 70_000))",
            (0..<300).map { "X\($0): \(String(repeating: "y", count: 1000))" }.joined(separator: "\r\n"),
        ] {
            expectError(try upload(stack, fields, usual), 400, "bad request", "\(fields.count) bytes of fields")
        }
        try stack.expectNothingIncoming()
        #expect(try stack.put(helloWorld).status == 201)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Equivalent paths reach the same endpoint, and none reaches the store's files`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let key = try stack.store(helloWorld)
        let query = "key=\(Stack.escape(key))"
        let fields = "Content-Type: application/octet-stream\r\nX-Payload-Expected-Content-Length: 11"
        func status(_ target: String) throws -> Int {
            let fetched = try answer(stack, "GET \(target) HTTP/1.1\r\nHost: localhost\r\n\(fields)")
            if fetched.status == 200 { #expect(fetched.body == helloWorld) }
            if fetched.status >= 400 { expectError(fetched, fetched.status, nil, target) }
            return fetched.status
        }
        for path in [
            "/v2/blobs/get", "/v2/%62lobs/get", "/v2/blobs/put/../get", "/v2/blobs/put/%2e%2e/get", "//v2//blobs/./get",
            "/v2/blobs%2fget", "http://localhost/v2/blobs/get", "http://elsewhere:80/v2/blobs/get",
        ] { #expect(try status("\(path)?\(query)") == 200, "\(path)") }
        let file = key.dropFirst("/blobs/".count)
        let object = try #require(stack.objects.first)
        for (target, expected) in [
            ("/v2/blobs/get%00?\(query)", 400), ("/v2/blobs/get%0a?\(query)", 404), ("/v2/blobs/get;x?\(query)", 404),
            ("/v2/blobs/get%2500?\(query)", 404), ("/v2/blobs/get/?\(query)", 404), ("/V2/blobs/get?\(query)", 404),
            ("/v2/%zz?\(query)", 400), ("/../v2/blobs/get?\(query)", 400), ("/v2/\u{1}?\(query)", 400),
            ("v2/blobs/get?\(query)", 400), ("*", 400), ("/v2/blobs/get#?\(query)", 400), ("/v2\\blobs\\get", 404),
            ("/lps-internal/\(object)", 404), ("/v2/../lps-internal/\(object)", 404),
            ("/v2/blobs/get?key=/lps-internal/\(object)", 404), ("/lps-internal/keys/\(file)", 404),
            ("/lps-internal/objects/../keys/\(file)", 404), ("/lps-internal/objects/../objects/", 404),
            ("/lps-internal/400", 404), ("/lps-internal/405", 404), ("/lps-internal/414", 404),
            ("/v2/blobs/get?key=\(Stack.escape(key))%00", 404), ("/v2/blobs/get?key=%2e%2e/%2e%2e/layout.json", 404),
            ("/v2/blobs/get?\(String(repeating: "a&", count: 20_000))\(query)", 200),
            ("/v2/blobs/get?\(String(repeating: "a", count: 70_000))\(query)", 414),
        ] { #expect(try status(target) == expected, "\(target.prefix(80))") }
    }

    @Test func `Methods other than those of an endpoint are refused`() throws {
        let stack = try Stack()
        let usual = "Host: localhost\r\nContent-Type: application/octet-stream\r\nX-Temporal-Metadata: e30="
        for (method, statuses) in [
            ("POST", [405]), ("DELETE", [405]), ("PATCH", [405]), ("OPTIONS", [405]), ("MKCOL", [405]), ("COPY", [405]),
            ("PROPFIND", [405]), ("TRACE", [405]), ("CONNECT", [400, 405]), ("PRI", [400, 405]), ("put", [400]),
            ("PUTT", [405]), (String(repeating: "PUT", count: 100), [405]), ("P\0T", [400]), ("PUT\t", [400]),
        ] {
            let line = "\(method) \(Self.target) HTTP/1.1"
            let refused = try answer(stack, "\(line)\r\n\(usual)\r\nContent-Length: 11", "hello world")
            expectError(refused, statuses.contains(refused.status) ? refused.status : statuses[0], nil, method)
        }
        for (version, host, status) in [
            ("HTTP/2.0", "Host: a", 505), ("HTTP/3", "Host: a", 505), ("HTTP/1.1 x", "Host: a", 400),
            ("ICY/1.1", "Host: a", 400), ("HTTP/1.1", "Host: a\r\nHost: b", 400), ("HTTP/1.1", "Host: a/b", 400),
            ("HTTP/1.1", "X: no host", 400),
        ] {
            let fields = usual.replacingOccurrences(of: "Host: localhost", with: host)
            let head = "PUT \(Self.target) \(version)\r\n\(fields)\r\nContent-Length: 11"
            expectError(try answer(stack, head, "hello world"), status, nil, "\(version), \(host)")
        }
        try stack.expectNothingIncoming()
        #expect(stack.tree.isEmpty)
        #expect(try stack.put(helloWorld).status == 201)
    }
}
