import Foundation
import TestSupport
import Testing

/// That nginx, FastCGI and a worker carry each kind of request and answer through, as deployed and with the plain fallbacks.
/// What is answered when is shown in process (`PutRefusalTests`, `GetTests` and others of `Tests/PayloadServiceTests`).
@Suite(.serialized, .runLimit) struct WireContractTests {
    @Test(arguments: Stack.Variant.allCases)
    func `A payload goes in and out, whole and in parts, and each refusal arrives as it was given`(
        variant: Stack.Variant
    ) throws {
        let stack = try Stack(variant)
        let namespace = "a b+é%\""
        for status in [201, 200] {
            let put = try stack.put(helloWorld, namespace: namespace)
            #expect(put.status == status)
            #expect(put.headers["content-type"] == "application/json")
        }
        let key = try stack.store(helloWorld, namespace: namespace)
        #expect(key.hasPrefix("/blobs/a b+é%\"/common/"))
        let whole = try stack.get(Stack.escape(key), length: 11)
        #expect(whole.status == 200)
        #expect(whole.body == helloWorld)
        for (name, value) in [
            ("content-length", "11"), ("content-type", "application/octet-stream"), ("etag", "\"\(helloWorldDigest)\""),
            ("cache-control", "private, max-age=31536000, immutable"), ("accept-ranges", "bytes"),
            ("repr-digest", "sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:"),
        ] {
            #expect(whole.headers[name] == value, "\(name)")
        }
        expectError(try stack.put(helloWorld, digest: Stack.digest([1])), 400, "checksum mismatch", "another digest")
        expectError(try stack.put(helloWorld, metadata: "{"), 400, nil, "metadata")
        expectError(try stack.get(key, length: 12), 412, "payload has 11 bytes, expected 12", "another length")
        expectError(try stack.get(key + "/", length: 11), 404, "blob not found", "no key")
        for (method, path, allowed) in [
            ("POST", "/v2/blobs/put", "PUT"), ("OPTIONS", "/v2/blobs/put", "PUT"), ("DELETE", "/v2/blobs/get", "GET"),
            ("GET", "/v2/health/head", "HEAD"),
        ] {
            let answer = try stack.request(method, path, body: method == "POST" ? [] : nil)
            expectError(answer, 405, nil, "\(method) \(path)")
            #expect(answer.headers["allow"] == allowed)
        }
        try stack.expectNothingIncoming()
    }

    @Test(arguments: Stack.Variant.allCases)
    func `Ranges resume a download, tags save one, and dates decide nothing`(variant: Stack.Variant) throws {
        let stack = try Stack(variant)
        let key = try stack.store(helloWorld)
        func get(_ headers: [String: String]) throws -> HTTPAnswer { try stack.get(key, length: 11, headers) }
        let tag = "\"\(helloWorldDigest)\""
        for headers in [
            ["Range": "bytes=6-"], ["Range": "bytes=-5"], ["Range": "bytes=6-", "If-Range": tag],
            ["Range": "bytes=6-", "If-Match": tag],
        ] {
            let part = try get(headers)
            #expect(part.status == 206, "\(headers)")
            #expect(part.text == "world")
            #expect(part.headers["content-range"] == "bytes 6-10/11")
            #expect(part.headers["etag"] == tag)
        }
        for headers in [
            ["Range": "bytes=6-", "If-Range": "\"other\""], ["If-None-Match": "\"other\""],
            ["If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"],
            ["If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"],
        ] {
            let whole = try get(headers)
            #expect(whole.status == 200, "\(headers)")
            #expect(whole.body == helloWorld)
        }
        let outside = try get(["Range": "bytes=11-"])
        expectError(outside, 416, nil, "outside")
        #expect(outside.headers["content-range"] == "bytes */11")
        #expect(outside.headers["cache-control"] == nil, "what is remembered for a year is the payload alone")
        #expect(try get(["If-None-Match": "W/\(tag)"]).status == 304)
        expectError(try get(["If-Match": "W/\(tag)"]), 412, nil, "a weak tag")
    }

    @Test(arguments: Stack.Variant.allCases)
    func `Uploads whose length is missing, wrong or too large are refused, by nginx or a worker`(variant: Stack.Variant)
        throws
    {
        let stack = try Stack(variant, options: ["--max-payload", "1000"])
        let target = Stack.putTarget(namespace: "default", digest: helloWorldDigest)
        func send(_ name: String, _ value: String, _ body: String = "") throws -> HTTPAnswer {
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send("PUT", target, Stack.putHeaders().merging([name: value]) { $1 })
            try connection.send(Array(body.utf8))
            return try connection.receive()
        }
        expectError(
            try send("Transfer-Encoding", "chunked", "b\r\nhello world\r\n0\r\n\r\n"),
            411,
            nil,
            "a chunked body"
        )
        for length in ["abc", "-1", "99999999999999999999", "0x1"] {
            expectError(try send("Content-Length", length), 400, nil, "Content-Length: \(length)")
        }
        let large = try stack.put([UInt8](repeating: 0, count: 1001))
        expectError(large, 413, "payload exceeds max size of 1000 bytes", "over a worker's limit")
        let message = "payload exceeds max size of \(1 << 30) bytes"
        expectError(try send("Content-Length", "\(1 << 30 + 1)"), 413, message, "over nginx's, before it is read")
        try stack.expectNothingIncoming()
        #expect(try stack.put(helloWorld).status == 201)
    }

    @Test(arguments: Stack.Variant.allCases)
    func `A service without its folder is not healthy, and nginx's own locations are no one's`(variant: Stack.Variant)
        throws
    {
        let stack = try Stack(variant)
        for path in ["/", "/v2", "/v2/blobs/put/", "/lps-internal/objects/00", "/lps-internal/keys/"] {
            expectError(try stack.request("GET", path), 404, nil, path)
        }
        rename("\(stack.store)/\(variant.isBucket ? "incoming" : "keys")", "\(stack.store)/gone")
        if variant.isBucket { rmdir("\(stack.store)/gone") }
        #expect(try stack.request("HEAD", "/v2/health/head").status == 503)
    }

    @Test(arguments: Stack.Variant.allCases)
    func `A caller has the namespaces that the web server's configuration gives it`(variant: Stack.Variant) throws {
        let stack = try Stack(variant) { conf in
            conf.replacingOccurrences(
                of: "fastcgi_param LPS_ALLOWED_NAMESPACES $lps_namespaces;",
                with: "fastcgi_param LPS_ALLOWED_NAMESPACES $http_x_test_tenant;"
            )
        }
        let target = Stack.putTarget(namespace: "b", digest: helloWorldDigest)
        for (tenant, status) in [("a,b", 201), ("b", 200), ("a", 403), ("", 403)] {
            // Tries to set the parameter itself, too.
            let tried = ["X-Test-Tenant": tenant, "LPS-Allowed-Namespaces": "*"]
            let put = try stack.request("PUT", target, Stack.putHeaders().merging(tried) { $1 }, body: helloWorld)
            #expect(put.status == status, "\(tenant)")
            let key = "/blobs/b/common/\(helloWorldDigest)/\(Stack.digest([]))"
            #expect(try stack.get(key, length: 11, tried).status == (status == 403 ? 403 : 200), "\(tenant)")
        }
    }
}
