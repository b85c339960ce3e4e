import Foundation
import TestSupport
import Testing

/// The wire contract's table of uploads, through a real nginx and a real worker: as deployed, and with the plain
/// fallbacks.
@Suite(.serialized) struct UploadContractTests {
    @Test(arguments: Stack.Variant.allCases)
    func `Each check of an upload answers with its status and message, in the order of the table`(
        variant: Stack.Variant
    )
        throws
    {
        let stack = try Stack(variant, options: ["--max-payload", "1000"])
        let good = Stack.putHeaders()
        let target = Stack.putTarget(namespace: "default", digest: helloWorldDigest)
        func put(_ target: String, _ headers: [String: String], method: String = "PUT", body: [UInt8] = helloWorld)
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
        let digest = "digest=\(helloWorldDigest)"

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
        let hex = String(helloWorldDigest.dropFirst(7))
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

        #expect(try stack.listing().isEmpty, "no refused upload left anything")
        try stack.expectNothingIncoming()
        #expect(try put(target, good).status == 201, "the pool still serves")
    }

    @Test(arguments: Stack.Variant.allCases)
    func `A query value is percent-decoded, plus is a space, and of two values the first counts`(variant: Stack.Variant)
        throws
    {
        let stack = try Stack(variant)
        let escaped = helloWorldDigest.replacingOccurrences(of: ":", with: "%3A")
        let target = "/v2/blobs/put?x=1&namespace=a+b%C3%A9&namespace=other&digest=\(escaped)&digest=x"
        let answer = try stack.request("PUT", target, Stack.putHeaders(), body: helloWorld)
        #expect(answer.status == 201)
        #expect(try Stack.key(answer).hasPrefix("/blobs/a bé/common/"))
    }

    @Test(arguments: Stack.Variant.allCases)
    func `The digest is verified also when the key exists, and a wrong body changes nothing`(variant: Stack.Variant)
        throws
    {
        let stack = try Stack(variant)
        let key = try Stack.key(stack.put(helloWorld))
        let listing = try stack.listing()
        for wrong in ["hello worle", "", "hello world!"] {
            #expect(try stack.put(Array(wrong.utf8), digest: helloWorldDigest).text == "checksum mismatch")
        }
        #expect(try stack.listing() == listing)
        #expect(try stack.get(key, length: 11).body == helloWorld)
        #expect(try stack.put(helloWorld).status == 200)
    }

    @Test(arguments: Stack.Variant.allCases)
    func `Space is kept in reserve: 507 for uploads, 503 for health, and downloads go on`(variant: Stack.Variant) throws
    {
        let stack = try Stack(variant)
        let key = try Stack.key(stack.put(helloWorld))
        let full = try ChildProcess(
            Project.binary("lps-worker"),
            stack.storeOptions + ["--reserve", "4000000000g", "--listen", stack.folder.file("full.sock")],
            environment: stack.engine?.environment ?? [:],
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
        let put = Stack.putTarget(namespace: "ns", digest: helloWorldDigest).split(separator: "?")
        let upload = ["CONTENT_LENGTH": "11", "HTTP_X_TEMPORAL_METADATA": "e30="]
        #expect(try ask("PUT", String(put[0]), String(put[1]), upload).hasPrefix("Status: 507 "))
        #expect(try ask("HEAD", "/v2/health/head", "", [:]).hasPrefix("Status: 503 "))
        let get = Stack.getTarget(key).split(separator: "?")
        let length = ["HTTP_X_PAYLOAD_EXPECTED_CONTENT_LENGTH": "11"]
        #expect(try ask("GET", String(get[0]), String(get[1]), length).hasSuffix("hello world"))
    }
}
