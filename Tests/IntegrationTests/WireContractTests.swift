import Foundation
import TestSupport
import Testing

/// What the wire contract says of all endpoints, and its worked examples, through a real nginx and a real worker: as
/// deployed, and with the plain fallbacks.
@Suite(.serialized) struct WireContractTests {
    @Test(arguments: Stack.Variant.allCases)
    func `Every worked example is stored, and fetched as it was`(variant: Stack.Variant) throws {
        let stack = try Stack(variant)
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
        try stack.expectNothingIncoming()
    }

    @Test(arguments: Stack.Variant.allCases)
    func `Health takes HEAD only, and an unknown path is not found`(variant: Stack.Variant) throws {
        let stack = try Stack(variant)
        let healthy = try stack.request("HEAD", "/v2/health/head")
        #expect(healthy.status == 200)
        let get = try stack.request("GET", "/v2/health/head")
        expectError(get, 405, nil, "GET")
        #expect(get.headers["allow"] == "HEAD")
        for path in [
            "/", "/v2", "/v2/", "/v2/blobs", "/v2/blobs/put/", "/v1/blobs/put", "/v2/health", "/v2/blobs/get/x",
            "/lps-internal/objects/", "/lps-internal/objects/00", "/lps-internal/keys/",
        ] {
            expectError(try stack.request("GET", path), 404, nil, path)
        }
        rename("\(stack.store)/\(variant.isBucket ? "incoming" : "keys")", "\(stack.store)/gone")
        if variant.isBucket { rmdir("\(stack.store)/gone") }
        #expect(try stack.request("HEAD", "/v2/health/head").status == 503)
    }

    @Test(arguments: Stack.Variant.allCases)
    func `A caller sees only the namespaces that the web server's configuration gives it`(variant: Stack.Variant) throws
    {
        let stack = try Stack(variant) { conf in
            conf.replacingOccurrences(
                of: "fastcgi_param LPS_ALLOWED_NAMESPACES $lps_namespaces;",
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
                Stack.putTarget(namespace: namespace, digest: helloWorldDigest),
                headers,
                body: helloWorld
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

    @Test(arguments: Stack.Variant.allCases)
    func `Any namespace and any metadata names that the contract allows go in and out`(variant: Stack.Variant) throws {
        let stack = try Stack(variant)
        let namespaces = [
            "...", "a b+c", "é", "e\u{301}", "日本", "%2F", "\"<&>'\\", "?#;=", "\u{2028}",
            String(repeating: "é", count: 100),
        ]
        var keys: Set<[UInt8]> = []
        for namespace in namespaces {
            let answer = try stack.put(helloWorld, namespace: namespace)
            #expect(answer.status == 201, "\(namespace)")
            let key = try Stack.key(answer)
            #expect(Array(key.utf8).starts(with: Array("/blobs/\(namespace)/common/".utf8)))
            keys.insert(Array(key.utf8))
            #expect(try stack.get(key, length: 11).body == helloWorld, "\(namespace)")
        }
        #expect(keys.count == namespaces.count)
        let composed = try Stack.key(stack.put(helloWorld, metadata: "{\"\u{E9}\":\"MQ==\"}"))
        let decomposed = try Stack.key(stack.put(helloWorld, metadata: "{\"e\u{301}\":\"MQ==\"}"))
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
