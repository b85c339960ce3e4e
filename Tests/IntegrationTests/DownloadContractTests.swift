import Foundation
import TestSupport
import Testing

/// The wire contract's table of downloads, through a real nginx and a real worker: as deployed, and with the plain
/// fallbacks.
@Suite(.serialized) struct DownloadContractTests {
    @Test(arguments: Stack.Variant.allCases)
    func `Each check of a download answers with its status and message, in the order of the table`(
        variant: Stack.Variant
    )
        throws
    {
        let stack = try Stack(variant)
        let key = try Stack.key(stack.put(helloWorld))
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
        #expect(try get(Stack.getTarget(key), good).body == helloWorld)
    }

    @Test(arguments: Stack.Variant.allCases)
    func `A key that the client escaped twice is found`(variant: Stack.Variant) throws {
        let stack = try Stack(variant)
        let key = try Stack.key(stack.put(helloWorld, namespace: "a b/é%".replacingOccurrences(of: "/", with: "+")))
        #expect(try stack.get(key, length: 11).status == 200)
        #expect(try stack.get(Stack.escape(key), length: 11).body == helloWorld)
    }

    @Test(arguments: Stack.Variant.allCases)
    func `Ranges resume a download, and tags save one`(variant: Stack.Variant) throws {
        let stack = try Stack(variant)
        let key = try Stack.key(stack.put(helloWorld))
        let part = try stack.get(key, length: 11, ["Range": "bytes=6-"])
        #expect(part.status == 206)
        #expect(part.text == "world")
        #expect(part.headers["content-range"] == "bytes 6-10/11")
        #expect(part.headers["etag"] == "\"\(helloWorldDigest)\"")
        #expect(try stack.get(key, length: 11, ["Range": "bytes=-5"]).text == "world")
        let outside = try stack.get(key, length: 11, ["Range": "bytes=11-"])
        expectError(outside, 416, nil, "outside")
        #expect(outside.headers["content-range"] == "bytes */11")
        #expect(outside.headers["cache-control"] == nil, "what is remembered for a year is the payload alone")
        #expect(
            try stack.get(key, length: 11, ["Range": "bytes=6-", "If-Range": "\"\(helloWorldDigest)\""]).status == 206
        )
        #expect(try stack.get(key, length: 11, ["Range": "bytes=6-", "If-Range": "\"other\""]).text == "hello world")
        #expect(try stack.get(key, length: 11, ["If-None-Match": "\"\(helloWorldDigest)\""]).status == 304)
        #expect(try stack.get(key, length: 11, ["If-None-Match": "\"other\""]).status == 200)
        #expect(try stack.get(key, length: 11, ["If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"]).status == 200)
        #expect(try stack.get(key, length: 11, ["If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"]).status == 200)
        let resumed = try stack.get(key, length: 11, ["Range": "bytes=6-", "If-Match": "\"\(helloWorldDigest)\""])
        #expect(resumed.status == 206)
        #expect(resumed.text == "world")
        expectError(try stack.get(key, length: 11, ["If-Match": "\"other\""]), 412, nil, "another tag")
    }
}
