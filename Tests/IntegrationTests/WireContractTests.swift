import Foundation
import TestSupport
import Testing

/// Every row of the wire contract's tables, over HTTP through a real nginx and a real worker: as deployed, and with the plain
/// fallbacks.
@Suite(.serialized) struct WireContractTests {
    private static let content = Array("hello world".utf8)
    private static let digest = Stack.digest(content)

    private func expectError(_ answer: HTTPAnswer, _ status: Int, _ message: String?, _ what: String) {
        #expect(answer.status == status, "\(what)")
        #expect(answer.headers["content-type"] == "text/plain; charset=utf-8", "\(what)")
        if let message { #expect(answer.text == message, "\(what)") }
        #expect(
            !answer.text.isEmpty && !answer.text.contains("\n") && !answer.text.contains("<"),
            "one line of text: \(what)"
        )
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Every worked example is stored, and fetched as it was`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        for vector in PutVector.all {
            let target = Stack.putTarget(namespace: vector.namespace, digest: vector.digest)
            let headers = ["Content-Type": "application/octet-stream", "X-Temporal-Metadata": vector.xTemporalMetadata]
            for status in [201, 200] {
                let answer = try stack.request("PUT", target, headers, body: vector.payload)
                #expect(answer.status == status, "\(vector.name)")
                #expect(answer.headers["content-type"] == "application/json")
                #expect(answer.text == "{\"Key\":\"\(vector.key)\"}\n")
            }
            let fetched = try stack.get(vector.key, length: vector.size)
            #expect(fetched.status == 200)
            #expect(fetched.body == vector.payload)
            let digest = Data(vector.digest.dropFirst(7).hexBytes).base64EncodedString()
            #expect(fetched.headers["content-type"] == "application/octet-stream")
            #expect(fetched.headers["content-length"] == "\(vector.size)")
            #expect(fetched.headers["etag"] == "\"\(vector.digest)\"")
            #expect(fetched.headers["repr-digest"] == "sha-256=:\(digest):")
            #expect(fetched.headers["cache-control"] == "private, max-age=31536000, immutable")
            #expect(fetched.headers["last-modified"] == nil)
        }
        #expect(stack.incoming.isEmpty)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Each check of an upload answers with its status and message, in the order of the table`(mode: Stack.Mode)
        throws
    {
        let stack = try Stack(mode, options: ["--max-payload", "1000"])
        let good = Stack.putHeaders()
        let target = Stack.putTarget(namespace: "default", digest: Self.digest)
        func put(_ target: String, _ headers: [String: String], method: String = "PUT", body: [UInt8] = Self.content)
            throws -> HTTPAnswer
        {
            try stack.request(method, target, headers, body: body)
        }
        func without(_ name: String) -> [String: String] { good.filter { $0.key != name } }
        func with(_ name: String, _ value: String) -> [String: String] { good.merging([name: value]) { $1 } }
        func metadata(_ text: String) -> [String: String] { with("X-Temporal-Metadata", text) }
        func json(_ text: String) -> [String: String] { metadata(Data(text.utf8).base64EncodedString()) }
        func prefix(_ text: String) -> [String: String] {
            json("{\"remote-codec/key-prefix\":\"\(Data(text.utf8).base64EncodedString())\"}")
        }
        func query(_ text: String) -> String { "/v2/blobs/put?\(text)" }
        let digest = "digest=\(Self.digest)"

        for method in ["GET", "POST", "DELETE", "PATCH", "OPTIONS"] {
            let answer = try put(query(""), [:], method: method, body: [])
            expectError(answer, 405, nil, method)
            #expect(answer.headers["allow"] == "PUT")
        }
        let type = "missing or incorrect Content-Type header"
        expectError(try put(query(""), without("Content-Type")), 400, type, "no Content-Type, and nothing else right")
        for value in ["text/plain", "application/octet-stream; charset=utf-8", "application/json"] {
            expectError(try put(target, with("Content-Type", value)), 400, type, value)
        }
        do {
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send("PUT", query(""), with("Transfer-Encoding", "chunked"))
            try connection.send(Array("b\r\nhello world\r\n0\r\n\r\n".utf8))
            expectError(try connection.receive(), 411, nil, "a chunked body")
        }
        for length in ["abc", "-1", "+1", "99999999999999999999", "1.0", "0x1"] {
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send("PUT", target, with("Content-Length", length))
            expectError(try connection.receive(), 400, nil, "Content-Length: \(length)")
        }
        expectError(
            try put(query(""), good, body: [UInt8](repeating: 0, count: 1001)),
            413,
            "payload exceeds max size of 1000 bytes",
            "over the limit"
        )
        expectError(try put(query(digest), good), 400, "namespace query parameter is required", "no namespace")
        expectError(
            try put(query("namespace=&\(digest)"), good),
            400,
            "namespace query parameter is required",
            "empty namespace"
        )
        let long = String(repeating: "n", count: 201)
        for namespace in ["a%2Fb", "a%00b", "a%0Ab", ".", "..", "%2E%2E", "%7F", "%C2%85", "%FF", long] {
            expectError(try put(query("namespace=\(namespace)"), good), 400, nil, "namespace \(namespace)")
        }
        expectError(try put(query("namespace=ns"), good), 400, "digest query parameter is required", "no digest")
        let hex = String(Self.digest.dropFirst(7))
        for text in [
            hex, "sha256:\(hex):", "a:b:c", "sha256:", "sha256:\(hex.uppercased())", "sha256:\(hex.dropLast())",
            "sha256:\(hex)0",
        ] {
            expectError(
                try put(query("namespace=ns&digest=\(text)"), good),
                400,
                "invalid digest format '\(text)'",
                text
            )
        }
        for name in ["md5", "SHA256", ""] {
            expectError(
                try put(query("namespace=ns&digest=\(name):\(hex)"), good),
                400,
                "invalid hash type '\(name)'",
                name
            )
        }
        for text in ["!", "e30", Data("{".utf8).base64EncodedString(), Data("[]".utf8).base64EncodedString()] {
            expectError(try put(target, metadata(text)), 400, nil, "metadata \(text)")
        }
        expectError(try put(target, without("X-Temporal-Metadata")), 400, nil, "no metadata")
        for text in ["{\"a\":1}", "{\"a\":\"!\"}", "{\"a\":{}}", "\"a\"", "{\"a\":\"MQ==\"}x"] {
            expectError(try put(target, json(text)), 400, nil, text)
        }
        for text in [
            "a b", "../x", "a.b", "ä", String(repeating: "p", count: 201), String(repeating: "p/", count: 257),
        ] {
            expectError(try put(target, prefix(text)), 400, "'\(text)' is not a valid prefix", text)
        }
        let other = Stack.digest(Array("other".utf8))
        expectError(
            try put(Stack.putTarget(namespace: "ns", digest: other), good),
            400,
            "checksum mismatch",
            "a wrong digest"
        )

        #expect(stack.tree.isEmpty, "no refused upload left anything")
        #expect(stack.incoming.isEmpty)
        #expect(try put(target, good).status == 201, "the pool still serves")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A query value is percent-decoded, plus is a space, and of two values the first counts`(mode: Stack.Mode)
        throws
    {
        let stack = try Stack(mode)
        let escaped = Self.digest.replacingOccurrences(of: ":", with: "%3A")
        let target = "/v2/blobs/put?x=1&namespace=a+b%C3%A9&namespace=other&digest=\(escaped)&digest=x"
        let answer = try stack.request("PUT", target, Stack.putHeaders(), body: Self.content)
        #expect(answer.status == 201)
        #expect(try Stack.key(answer).hasPrefix("/blobs/a bé/common/"))
    }

    @Test(arguments: Stack.Mode.allCases)
    func `The digest is verified also when the key exists, and a wrong body changes nothing`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let key = try Stack.key(stack.put(Self.content))
        let tree = stack.tree
        for wrong in ["hello worle", "", "hello world!"] {
            #expect(try stack.put(Array(wrong.utf8), digest: Self.digest).text == "checksum mismatch")
        }
        #expect(stack.tree == tree)
        #expect(try stack.get(key, length: 11).body == Self.content)
        #expect(try stack.put(Self.content).status == 200)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Space is kept in reserve: 507 for uploads, 503 for health, and downloads go on`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let key = try Stack.key(stack.put(Self.content))
        let full = try ChildProcess(
            Project.binary("lps-worker"),
            ["--store", stack.store, "--reserve", "4000000000g", "--listen", stack.folder.file("full.sock")],
            log: stack.folder.file("full.log")
        )
        try eventually("the full worker serves") { full.log.contains("msg=serving") }
        func ask(_ method: String, _ path: String, _ query: String, _ more: [String: String]) throws -> String {
            let client = try FastCGIClient(stack.folder.file("full.sock"))
            let parameters = [
                "REQUEST_METHOD": method, "SCRIPT_NAME": path, "QUERY_STRING": query,
                "CONTENT_TYPE": "application/octet-stream",
            ]
            client.send(FastCGIClient.head(parameters.merging(more) { $1 }))
            return client.receiveAnswer()
        }
        let put = Stack.putTarget(namespace: "ns", digest: Self.digest).split(separator: "?")
        let upload = ["CONTENT_LENGTH": "11", "HTTP_X_TEMPORAL_METADATA": "e30="]
        #expect(try ask("PUT", String(put[0]), String(put[1]), upload).hasPrefix("Status: 507 "))
        #expect(try ask("HEAD", "/v2/health/head", "", [:]).hasPrefix("Status: 503 "))
        let get = Stack.getTarget(key).split(separator: "?")
        let length = ["HTTP_X_PAYLOAD_EXPECTED_CONTENT_LENGTH": "11"]
        #expect(try ask("GET", String(get[0]), String(get[1]), length).hasSuffix("hello world"))
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Each check of a download answers with its status and message, in the order of the table`(mode: Stack.Mode)
        throws
    {
        let stack = try Stack(mode)
        let key = try Stack.key(stack.put(Self.content))
        let good = Stack.getHeaders(length: 11)
        func get(_ target: String, _ headers: [String: String], method: String = "GET") throws -> HTTPAnswer {
            try stack.request(method, target, headers)
        }
        for method in ["PUT", "POST", "DELETE"] {
            let answer = try stack.request(method, "/v2/blobs/get", body: [])
            expectError(answer, 405, nil, method)
            #expect(answer.headers["allow"] == "GET")
        }
        #expect(try stack.request("HEAD", Stack.getTarget(key), good).status == 405)
        let type = "missing or incorrect Content-Type header"
        expectError(try get("/v2/blobs/get", [:]), 400, type, "no Content-Type, and nothing else right")
        let required = "expected content length header is required"
        expectError(try get("/v2/blobs/get", ["Content-Type": "application/octet-stream"]), 400, required, "no length")
        for length in ["abc", "-1", "+11", "99999999999999999999", "1 1"] {
            let headers = good.merging(["X-Payload-Expected-Content-Length": length]) { $1 }
            let answer = try get("/v2/blobs/get", headers)
            expectError(answer, 400, nil, length)
            #expect(answer.text.hasPrefix("expected content length header \(length) is invalid: "))
        }
        expectError(try get("/v2/blobs/get", good), 400, "key query parameter is required", "no key")
        let hostile = [
            "x", "/", "..", "/blobs/../../etc/passwd", key + "/", key + "\0",
            key.replacingOccurrences(of: "default", with: ".."),
            key.replacingOccurrences(of: "common", with: "custom/.."), String(repeating: "/", count: 1000), "%", "%00",
            "%2e%2e%2f",
            String(key.dropLast()), key.uppercased(),
        ]
        for text in hostile {
            expectError(try get(Stack.getTarget(text), good), 404, "blob not found", text)
        }
        for raw in ["%", "%%", "%zz", "%00", "%2", "+", "%ff%fe"] {
            expectError(try get("/v2/blobs/get?key=\(raw)", good), 404, "blob not found", raw)
        }
        let missing = key.replacingOccurrences(of: "default", with: "other")
        expectError(try get(Stack.getTarget(missing), good), 404, "blob not found", "another namespace")
        expectError(
            try get(Stack.getTarget(key), Stack.getHeaders(length: 12)),
            412,
            "payload has 11 bytes, expected 12",
            "another length"
        )
        #expect(try get(Stack.getTarget(key), good).body == Self.content)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A key that the client escaped twice is found`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let key = try Stack.key(stack.put(Self.content, namespace: "a b/é%".replacingOccurrences(of: "/", with: "+")))
        #expect(try stack.get(key, length: 11).status == 200)
        #expect(try stack.get(Stack.escape(key), length: 11).body == Self.content)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Ranges resume a download, and tags save one`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let key = try Stack.key(stack.put(Self.content))
        let part = try stack.get(key, length: 11, ["Range": "bytes=6-"])
        #expect(part.status == 206)
        #expect(part.text == "world")
        #expect(part.headers["content-range"] == "bytes 6-10/11")
        #expect(part.headers["etag"] == "\"\(Self.digest)\"")
        #expect(try stack.get(key, length: 11, ["Range": "bytes=-5"]).text == "world")
        let outside = try stack.get(key, length: 11, ["Range": "bytes=11-"])
        expectError(outside, 416, nil, "outside")
        #expect(outside.headers["content-range"] == "bytes */11")
        #expect(try stack.get(key, length: 11, ["Range": "bytes=6-", "If-Range": "\"\(Self.digest)\""]).status == 206)
        #expect(try stack.get(key, length: 11, ["Range": "bytes=6-", "If-Range": "\"other\""]).text == "hello world")
        #expect(try stack.get(key, length: 11, ["If-None-Match": "\"\(Self.digest)\""]).status == 304)
        #expect(try stack.get(key, length: 11, ["If-None-Match": "\"other\""]).status == 200)
        #expect(try stack.get(key, length: 11, ["If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"]).status == 200)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Health takes HEAD only, and an unknown path is not found`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let healthy = try stack.request("HEAD", "/v2/health/head")
        #expect(healthy.status == 200)
        let get = try stack.request("GET", "/v2/health/head")
        expectError(get, 405, nil, "GET")
        #expect(get.headers["allow"] == "HEAD")
        for path in [
            "/", "/v2/", "/v2/blobs", "/v2/blobs/put/", "/v1/blobs/put", "/v2/health", "/v2/blobs/get/x",
            "/lps-internal/keys/", "/lps-internal/keys/default",
        ] {
            expectError(try stack.request("GET", path), 404, nil, path)
        }
        rename("\(stack.store)/keys", "\(stack.store)/gone")
        #expect(try stack.request("HEAD", "/v2/health/head").status == 503)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A caller sees only the namespaces that the web server's configuration gives it`(mode: Stack.Mode) throws {
        let stack = try Stack(mode) { conf in
            conf.replacingOccurrences(
                of: "# fastcgi_param LPS_ALLOWED_NAMESPACES $lps_namespaces;",
                with: "fastcgi_param LPS_ALLOWED_NAMESPACES $http_x_test_tenant;"
            )
        }
        func put(_ tenant: String?, _ namespace: String) throws -> HTTPAnswer {
            var headers = Stack.putHeaders()
            headers["X-Test-Tenant"] = tenant
            // Tries to set the parameter itself.
            headers["LPS-Allowed-Namespaces"] = "*"
            return try stack.request(
                "PUT",
                Stack.putTarget(namespace: namespace, digest: Self.digest),
                headers,
                body: Self.content
            )
        }
        let key = try Stack.key(put("a,b", "b"))
        expectError(try put("a,b", "c"), 403, nil, "another namespace")
        expectError(try put(nil, "a"), 403, nil, "no namespace at all")
        #expect(try put("*", "c").status == 201)
        expectError(try stack.get(key, length: 11, ["X-Test-Tenant": "a"]), 403, nil, "a key of another namespace")
        expectError(
            try stack.get(Stack.escape(key), length: 11, ["X-Test-Tenant": "a"]),
            403,
            nil,
            "the same, escaped twice"
        )
        #expect(try stack.get(key, length: 11, ["X-Test-Tenant": "b"]).status == 200)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Any namespace and any metadata names that the contract allows go in and out`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let namespaces = [
            "...", "a b+c", "é", "e\u{301}", "日本", "%2F", "\"<&>'\\", "?#;=", "\u{2028}",
            String(repeating: "é", count: 100),
        ]
        var keys: Set<[UInt8]> = []
        for namespace in namespaces {
            let answer = try stack.put(Self.content, namespace: namespace)
            #expect(answer.status == 201, "\(namespace)")
            let key = try Stack.key(answer)
            #expect(Array(key.utf8).starts(with: Array("/blobs/\(namespace)/common/".utf8)))
            keys.insert(Array(key.utf8))
            #expect(try stack.get(key, length: 11).body == Self.content, "\(namespace)")
        }
        #expect(keys.count == namespaces.count)
        let composed = try Stack.key(stack.put(Self.content, metadata: "{\"\u{E9}\":\"MQ==\"}"))
        let decomposed = try Stack.key(stack.put(Self.content, metadata: "{\"e\u{301}\":\"MQ==\"}"))
        #expect(composed != decomposed)
    }
}

extension StringProtocol {
    /// The bytes that pairs of hex digits stand for.
    fileprivate var hexBytes: [UInt8] {
        stride(from: 0, to: count, by: 2).compactMap { offset in
            UInt8(dropFirst(offset).prefix(2), radix: 16)
        }
    }
}
