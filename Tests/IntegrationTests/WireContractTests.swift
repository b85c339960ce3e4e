import Foundation
import TestSupport
import Testing

/// Each kind of request and answer passes through nginx, FastCGI and a worker, as deployed and with the plain
/// fallbacks. `PutRefusalTests`, `GetTests` and others in `Tests/PayloadServiceTests` cover all answers in process.
@Suite(.serialized, .runLimit) struct WireContractTests {
    @Test(arguments: Stack.Variant.allCases)
    func `Each kind of request and answer follows the wire contract`(variant: Stack.Variant) throws {
        // The header X-Test-Tenant names the caller's namespaces.
        let stack = try Stack(variant, options: ["--max-payload", "1000"]) {
            $0.replacingOccurrences(
                of: openNamespaces,
                with: #"map $http_x_test_tenant $lps_namespaces { default $http_x_test_tenant; "" "*"; none ""; }"#
                    + #" map $http_x_test_reader $lps_readable_namespaces { default $http_x_test_reader; }"#
            )
        }
        try payloadsAndRefusals(stack)
        try ranges(stack)
        try lengths(stack)
        try tenants(stack)
        for path in ["/", "/v2", "/v2/blobs/put/", "/lps-internal/objects/00", "/lps-internal/keys/"] {
            expectError(try stack.request("GET", path), 404, nil, path)
        }
        try stack.expectNothingIncoming()
        rename("\(stack.store)/\(variant.isBucket ? "incoming" : "keys")", "\(stack.store)/gone")
        if variant.isBucket { rmdir("\(stack.store)/gone") }
        #expect(try stack.request("HEAD", "/v2/health/head").status == 503, "a service without its folder")
    }

    private func payloadsAndRefusals(_ stack: Stack) throws {
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
    }

    /// Ranges resume a download, tags save one, and dates have no effect.
    private func ranges(_ stack: Stack) throws {
        let key = try stack.store(helloWorld)
        let tag = "\"\(helloWorldDigest)\""
        let manyRanges = (0..<1000).map { "\($0)-\($0)" }.joined(separator: ",")
        for (headers, status) in [
            (["Range": "bytes=6-"], 206), (["Range": "bytes=-5"], 206), (["Range": "bytes=6-", "If-Range": tag], 206),
            (["Range": "bytes=6-", "If-Match": tag], 206), (["Range": "bytes=6-", "If-Range": "\"other\""], 200),
            (["If-None-Match": "\"other\""], 200), (["If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"], 200),
            (["If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"], 200),
            // A request for several ranges gets the payload once.
            (["Range": "bytes=0-0,2-2"], 200), (["Range": "bytes=-1,0-"], 200), (["Range": "bytes=\(manyRanges)"], 200),
            (["Range": "bytes=" + Array(repeating: "0-", count: 1000).joined(separator: ",")], 200),
            (["Range": "bytes=11-"], 416), (["If-None-Match": "W/\(tag)"], 304), (["If-Match": "W/\(tag)"], 412),
        ] {
            let answer = try stack.get(key, length: 11, headers)
            let what = "\(headers)".prefix(80)
            #expect(answer.status == status, "\(what)")
            switch status {
            case 200: #expect(answer.body == helloWorld, "\(what)")
            case 206:
                #expect(answer.text == "world", "\(what)")
                #expect(answer.headers["content-range"] == "bytes 6-10/11")
                #expect(answer.headers["etag"] == tag)
            case 304: #expect(answer.body.isEmpty)
            default:
                expectError(answer, status, nil, "\(what)")
                #expect(answer.headers["cache-control"] == nil, "only payloads are cached for a year")
                #expect(answer.headers["content-range"] == (status == 416 ? "bytes */11" : nil))
            }
        }
    }

    /// Uploads whose length is missing, wrong or too large are refused, by nginx or a worker.
    private func lengths(_ stack: Stack) throws {
        let target = Stack.putTarget(namespace: "default", digest: helloWorldDigest)
        func send(_ name: String, _ value: String, _ body: String = "") throws -> HTTPAnswer {
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send("PUT", target, Stack.putHeaders().merging([name: value]) { $1 })
            try connection.send(Array(body.utf8))
            return try connection.receive()
        }
        let chunked = try send("Transfer-Encoding", "chunked", "b\r\nhello world\r\n0\r\n\r\n")
        expectError(chunked, 411, nil, "a chunked body")
        for length in ["abc", "-1", "99999999999999999999", "0x1"] {
            expectError(try send("Content-Length", length), 400, nil, "Content-Length: \(length)")
        }
        let large = try stack.put([UInt8](repeating: 0, count: 1001))
        expectError(large, 413, "payload exceeds max size of 1000 bytes", "over a worker's limit")
        let message = "payload exceeds max size of \(1 << 30) bytes"
        expectError(try send("Content-Length", "\(1 << 30 + 1)"), 413, message, "over nginx's limit, before it is read")
    }

    private func tenants(_ stack: Stack) throws {
        let target = Stack.putTarget(namespace: "b", digest: helloWorldDigest)
        for (tenant, status) in [("a,b", 201), ("b", 200), ("a", 403), ("none", 403)] {
            // The client also tries to set the parameter itself.
            let tried = ["X-Test-Tenant": tenant, "LPS-Allowed-Namespaces": "*"]
            let put = try stack.request("PUT", target, Stack.putHeaders().merging(tried) { $1 }, body: helloWorld)
            #expect(put.status == status, "\(tenant)")
            let key = "/blobs/b/common/\(helloWorldDigest)/\(Stack.digest([]))"
            #expect(try stack.get(key, length: 11, tried).status == (status == 403 ? 403 : 200), "\(tenant)")
            let reader = tried.merging(["X-Test-Reader": "c,b"]) { $1 }
            #expect(try stack.get(key, length: 11, reader).status == 200, "\(tenant), who may read")
        }
    }
}
