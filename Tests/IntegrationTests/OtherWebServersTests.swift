import Foundation
import TestSupport
import Testing

/// `docs/other-web-servers.md` as printed, with a real Apache and a real lighttpd.
@Suite(.serialized, .runLimit) struct OtherWebServersTests {
    private typealias Kind = OtherWebServer.Kind

    @Test(arguments: OtherWebServer.Kind.others)
    func `Payloads of several megabytes are served whole, by range and by tag`(kind: OtherWebServer.Kind) throws {
        let server = try OtherWebServer(kind)
        let payload = randomPayload(5_000_000)
        let key = try Stack.key(server.put(payload))
        let again = try server.put(payload)
        #expect(again.status == 200)
        #expect(again.headers["content-type"] == "application/json")
        let tag = "\"\(Stack.digest(payload))\""

        let whole = try server.get(key, length: payload.count, ["Accept-Encoding": "gzip"])
        #expect(whole.status == 200)
        #expect(whole.body == payload)
        #expect(whole.headers["content-length"] == "5000000")
        #expect(whole.headers["content-type"] == "application/octet-stream")
        #expect(whole.headers["etag"] == tag)
        #expect(whole.headers["repr-digest"]?.hasPrefix("sha-256=:") == true)
        #expect(whole.headers["cache-control"] == "private, max-age=31536000, immutable")
        for name in ["x-lps-namespace", "x-lps-digest", "vary", "content-encoding", "last-modified"] {
            #expect(whole.headers[name] == nil, "\(name)")
        }

        func get(_ headers: [String: String]) throws -> HTTPAnswer {
            try server.get(key, length: payload.count, headers)
        }
        for condition in [[:], ["If-Range": tag], ["If-Match": tag]] {
            let part = try get(condition.merging(["Range": "bytes=1000000-4999998"]) { $1 })
            #expect(part.status == 206, "\(condition)")
            #expect(part.headers["content-range"] == "bytes 1000000-4999998/5000000")
            #expect(part.body == Array(payload[1_000_000..<4_999_999]), "\(condition)")
        }
        let parts = try get(["Range": "bytes=0-1,5-6"])
        #expect(parts.status == 200)
        #expect(parts.body == payload)
        expectError(try get(["Range": "bytes=5000000-"]), 416, nil, "a range outside")
        let known = try get(["If-None-Match": tag])
        #expect(known.status == 304)
        #expect(known.headers["etag"] == tag)
        expectError(try get(["If-Match": "\"x\""]), 412, nil, "another tag")
        expectError(try server.get(key, length: 1), 412, "payload has 5000000 bytes, expected 1", "another length")
        expectError(try server.get(key + "0", length: 1), 404, "blob not found", "another key")

        #expect(try server.request("HEAD", "/v2/health/head").status == 200)
        expectError(try server.request("GET", "/v2/health/head"), 405, nil, "GET")
    }

    @Test(arguments: OtherWebServer.Kind.others)
    func `Any namespace works, in keys escaped once, twice or not at all`(kind: OtherWebServer.Kind) throws {
        let server = try OtherWebServer(kind)
        let namespaces = [
            "...", "a b+c", "é", "e\u{301}", "日本", "%2F", "\"<&>'\\", "?#;=", "\u{2028}", "\u{FFFE}",
            String(repeating: "é", count: 100),
        ]
        for namespace in namespaces {
            let answer = try server.put(helloWorld, namespace: namespace)
            #expect(answer.status == 201, "\(namespace): \(answer.text)")
            let key = try Stack.key(answer)
            #expect(Array(key.utf8).starts(with: Array("/blobs/\(namespace)/common/".utf8)))
            #expect(try server.get(key, length: 11).body == helloWorld, "\(namespace)")
            #expect(try server.get(Stack.escape(key), length: 11).body == helloWorld, "\(namespace), escaped twice")
        }
        let key = try Stack.key(server.put(helloWorld))
        let target = "/v2/blobs/get?key=\(key)"
        #expect(try server.request("GET", target, Stack.getHeaders(length: 11)).body == helloWorld)
        for namespace in ["a%2Fb", "a%00b", "a%0Ab", ".", "..", "%2E%2E", "%7F", "%C2%85", "%FF"] {
            let target = "/v2/blobs/put?namespace=\(namespace)&digest=\(helloWorldDigest)"
            let answer = try server.request("PUT", target, Stack.putHeaders(), body: helloWorld)
            #expect(answer.status == 400, "\(namespace)")
        }
    }

    @Test(arguments: OtherWebServer.Kind.others)
    func `Large metadata, empty payloads and chunked uploads behave as documented`(kind: OtherWebServer.Kind) throws {
        let server = try OtherWebServer(kind)
        func put(header: Int) throws -> HTTPAnswer {
            // Base64 of JSON that contains base64, padded to exactly the header's length.
            let json = #"{"x":""}"#
            let value = String(repeating: "A", count: (header / 4 * 3 - json.count) / 4 * 4)
            let text = #"{"x":"\#(value)"}"#
            let padded = text + String(repeating: " ", count: header / 4 * 3 - text.count)
            #expect(Data(padded.utf8).base64EncodedString().count == header)
            return try server.put(randomPayload(3_000_000), metadata: padded)
        }
        let largest = kind == .apache ? 16_352 : 62 << 10
        let answer = try put(header: largest)
        #expect(answer.status == 201, "\(answer.text)")
        if kind == .apache { #expect(try put(header: largest + 4).status == 400) }

        let empty = try server.put([])
        #expect(empty.status == 201)
        let fetched = try server.get(Stack.key(empty), length: 0)
        #expect(fetched.status == 200)
        #expect(fetched.headers["content-length"] == "0")

        for size in [11, 3_000_000] {
            let payload = randomPayload(size)
            let connection = try HTTPConnection(port: server.port)
            let headers = Stack.putHeaders().merging(["Transfer-Encoding": "chunked"]) { $1 }
            try connection.send("PUT", Stack.putTarget(namespace: "chunked", digest: Stack.digest(payload)), headers)
            let head = Array("\(String(size, radix: 16))\r\n".utf8)
            try connection.send(head + payload + Array("\r\n0\r\n\r\n".utf8))
            let answer = try connection.receive()
            #expect(answer.status == (kind == .apache ? 411 : 201), "\(size)")
            if kind == .apache { expectError(answer, 411, "Content-Length header is required", "\(size)") }
        }
    }

    @Test(arguments: OtherWebServer.Kind.others)
    func `curl stores and fetches over TLS with both versions of HTTP`(kind: OtherWebServer.Kind) throws {
        let server = try OtherWebServer(kind)
        for version in ["--http1.1", "--http2"] {
            let payload = randomPayload(3_000_000)
            let file = server.folder.file("payload")
            try write(payload, to: file)
            let headers = Stack.putHeaders().flatMap { ["-H", "\($0.key): \($0.value)"] }
            let stored = try server.curl(
                [version, "-T", file, "-H", "Expect: 100-continue"] + headers,
                Stack.putTarget(namespace: "tls", digest: Stack.digest(payload))
            )
            let key = try Stack.key(Array(stored.utf8))
            let get = Stack.getHeaders(length: payload.count).flatMap { ["-H", "\($0.key): \($0.value)"] }
            let told = try server.curl(
                [version, "-o", file, "-w", "%{http_code} %{http_version}"] + get,
                Stack.getTarget(key)
            )
            #expect(told == (version == "--http2" ? "200 2" : "200 1.1"))
            #expect(try contents(of: file) == payload)
        }
    }

    @Test(arguments: OtherWebServer.Kind.others)
    func `The codec server answers programs, and pages only where the table allows them`(
        kind: OtherWebServer.Kind
    ) throws {
        let server = try OtherWebServer(kind)
        func codec(_ operation: String, _ body: [UInt8], _ headers: [String: String] = [:]) throws -> HTTPAnswer {
            try server.codec(operation, body, headers.merging(["X-Namespace": "default"]) { $1 })
        }
        let payloads = JSONPayloads([JSONPayload(randomPayload(3_000_000))])
        let reference = try codec("encode", payloads.json).body
        #expect(reference.count < 10_000)
        #expect(try JSONPayloads(codec("decode", reference)).payloads == payloads.payloads)

        let origin = "https://temporal.example.com"
        let foreign = ["https://temporal.example.com.evil.test", "https://temporalXexample.com", "null"]
        for origin in foreign + (kind == .lighttpd ? [origin] : []) {
            #expect(try codec("decode", reference, ["Origin": origin]).status == 403, "\(origin)")
        }
        guard kind == .apache else { return }
        let answer = try codec("decode", reference, ["Origin": origin])
        #expect(answer.status == 200)
        #expect(answer.headers["access-control-allow-origin"] == origin)
        let asked = [
            "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Private-Network": "true",
        ]
        let preflight = try server.request("OPTIONS", "/codec/decode", asked)
        #expect(preflight.status == 204)
        #expect(preflight.headers["access-control-allow-origin"] == origin)
        #expect(preflight.headers["access-control-allow-private-network"] == "true")
        #expect(preflight.headers["access-control-allow-headers"]?.contains("X-Namespace") == true)
        #expect(try server.request("OPTIONS", "/codec/decode", ["Origin": "null"]).status == 403)
    }

    @Test(arguments: OtherWebServer.Kind.others)
    func `Probes and the status page answer`(kind: OtherWebServer.Kind) throws {
        let server = try OtherWebServer(kind)
        for path in ["/lps/ping", "/lps/ready"] {
            for method in ["GET", "HEAD"] {
                #expect(try server.request(method, path).status == 200, "\(method) \(path)")
            }
        }
        try eventually("the status page answers") {
            try server.request("GET", "/lps/status?openmetrics").text.hasSuffix("# EOF\n")
        }
    }

    @Test(arguments: OtherWebServer.Kind.others)
    func `Only listed addresses are served`(kind: OtherWebServer.Kind) throws {
        // 127.0.0.3 stands for 10.0.0.0/8, and 127.0.0.4 for this machine.
        let server = try OtherWebServer(
            kind,
            edit: {
                $0.replacingOccurrences(of: "Require local", with: "Require ip 127.0.0.1 127.0.0.4")
                    .replacingOccurrences(of: "10.0.0.0/8", with: "127.0.0.3")
                    .replacingOccurrences(of: "127.0.0.0/8", with: "127.0.0.0/30")
            }
        )
        func status(_ address: String, _ path: String) throws -> String {
            let url = "http://127.0.0.1:\(server.port)\(path)"
            return try run(
                "curl",
                ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--interface", address, "-X", "DELETE", url]
            ).output
        }
        for path in ["/v2/health/head", "/codec/decode"] {
            #expect(try status("127.0.0.3", path) == "405", "\(path)")
            let refused = try status("127.0.0.9", path)
            #expect(refused == "403", "\(path)")
        }
        #expect(try status("127.0.0.1", "/lps/status") != "403")
        #expect(try status("127.0.0.9", "/lps/status") == "403")
    }

    @Test(arguments: OtherWebServer.Kind.others)
    func `A caller can use only the namespaces that the configuration gives it`(kind: OtherWebServer.Kind) throws {
        func certificate(_ name: String) throws -> String { try Tenants.certificates.file(name) }
        let authority = try certificate("tenants-ca.pem")
        let examples = try Project.blocks("conf", in: "docs/other-web-servers.md")
        try #require(examples.count == 3)
        let server = try OtherWebServer(
            kind,
            edit: {
                $0.replacingOccurrences(
                    of: "ProxyFCGISetEnvIf \"true\" LPS_ALLOWED_NAMESPACES \"*\"",
                    with: examples[0]
                )
                .replacingOccurrences(of: "SSLEngine on", with: "SSLEngine on\n" + examples[1])
                .replacingOccurrences(of: "/etc/ssl/lps/tenants-ca.pem", with: authority)
                .replacingOccurrences(
                    of: "setenv.set-environment = ( \"LPS_ALLOWED_NAMESPACES\" => \"*\" )",
                    with: examples[2].replacingOccurrences(of: "10.1.0.0/16", with: "127.0.0.3")
                )
            }
        )
        let tenant =
            kind == .apache
            ? try ["--cert", certificate("orders.pem"), "--key", certificate("orders-key.pem")]
            : ["--interface", "127.0.0.3"]
        func put(_ namespace: String, _ caller: [String]) throws -> String {
            let headers = Stack.putHeaders().flatMap { ["-H", "\($0.key): \($0.value)"] }
            let body = ["-X", "PUT", "--data-binary", "hello world", "-o", "/dev/null", "-w", "%{http_code}"]
            return try server.curl(
                headers + body + caller,
                Stack.putTarget(namespace: namespace, digest: helloWorldDigest)
            )
        }
        for namespace in ["orders", "orders-test"] { #expect(try put(namespace, tenant) == "201") }
        for namespace in ["billing", "*"] { #expect(try put(namespace, tenant) == "403") }
        for namespace in ["orders", "billing", "*"] { #expect(try put(namespace, []) == "403") }
    }

    @Test(arguments: OtherWebServer.Kind.others)
    func `Without a worker, clients get 503, and are served as soon as one starts`(kind: OtherWebServer.Kind) throws {
        let server = try OtherWebServer(kind)
        for _ in 0..<3 {
            server.stopWorker()
            #expect(try server.put(helloWorld).status == 503)
            try server.startWorker()
            try eventually("requests are served again") { try server.put(helloWorld).status < 300 }
        }
    }

    @Test(arguments: OtherWebServer.Kind.allCases)
    func `Each reason to refuse a 3 MB upload has its own status`(kind: OtherWebServer.Kind) throws {
        let limit = 4_000_000
        let server = try OtherWebServer(
            kind,
            options: ["--max-payload", "\(limit)"],
            edit: {
                $0.replacingOccurrences(of: "LPS_ALLOWED_NAMESPACES \"*\"", with: "LPS_ALLOWED_NAMESPACES \"default\"")
                    .replacingOccurrences(of: "\"*\" )", with: "\"default\" )")
                    .replacingOccurrences(of: "default \"*\";", with: "default \"default\";")
            }
        )
        let payload = randomPayload(3_000_000)
        let good = Stack.putHeaders()
        let target = Stack.putTarget(namespace: "default", digest: Stack.digest(payload))
        func put(_ target: String, _ headers: [String: String], _ method: String = "PUT") throws -> HTTPAnswer {
            try server.request(method, target, headers, body: payload)
        }
        let refusals: [(what: String, status: Int, request: () throws -> HTTPAnswer)] = [
            ("another method", 405, { try put(target, good, "POST") }),
            ("an unknown path", 404, { try put("/v2/blobs/unknown", good) }),
            ("no content type", 400, { try put(target, good.filter { $0.key != "Content-Type" }) }),
            ("no namespace", 400, { try put("/v2/blobs/put", good) }),
            ("a forbidden namespace", 403, { try server.put(payload, namespace: "other") }),
            ("a bad digest", 400, { try server.put(payload, digest: "sha256:x") }),
            ("a wrong digest", 400, { try server.put(payload, digest: helloWorldDigest) }),
            ("bad metadata", 400, { try put(target, good.merging(["X-Temporal-Metadata": "!"]) { $1 }) }),
            ("over the limit", 413, { try server.put(randomPayload(limit + 1)) }),
        ]
        for refusal in refusals {
            // Repeated, because a race does not lose every answer.
            for _ in 0..<10 { expectError(try refusal.request(), refusal.status, nil, refusal.what) }
        }
        #expect(try server.put(payload).status == 201, "the pool still serves")
    }

    @Test(arguments: OtherWebServer.Kind.allCases)
    func `A 3 MB upload that finds no space gets 507`(kind: OtherWebServer.Kind) throws {
        let server = try OtherWebServer(kind)
        server.stopWorker()
        let full = try ChildProcess(
            Project.binary("lps-worker"),
            [
                "--store", server.store, "--listen", server.folder.file("lps.sock"), "--listen-mode", "0666",
                "--reserve", "4000000000g",
            ],
            log: server.folder.file("full.log")
        )
        try full.waitUntilServing()
        try eventually("the web server uses the new worker") {
            try server.request("HEAD", "/v2/blobs/put").status == 405
        }
        for _ in 0..<10 { expectError(try server.put(randomPayload(3_000_000)), 507, nil, "no space") }
    }
}
