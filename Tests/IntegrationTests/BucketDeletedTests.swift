import Foundation
import TestSupport
import Testing

/// Payloads or the bucket are deleted while the service runs.
@Suite(.serialized, .runLimit) struct BucketDeletedTests {
    private let payload = randomPayload(100_000)

    @Test(arguments: Stack.Mode.allCases)
    func `A deleted payload is 404, even if a worker has just seen it; a deleted bucket is 503`(
        mode: Stack.Mode
    ) throws {
        let engine = try TestEngine.shared
        let bucket = "gone-\(UUID().uuidString.lowercased())"
        try engine.createBucket(bucket)
        let stack = try Stack(mode, engine: engine, bucket: bucket)
        let key = try stack.store(payload)
        #expect(try stack.lps("rm", key).status == 0)
        let answer = try stack.get(key, length: payload.count)
        expectError(answer, 404, "blob not found", "deleted")
        #expect(answer.headers["cache-control"] == nil)
        #expect(try stack.put(payload).status == 201, "it can be stored again")

        let object = "/\(bucket)/\(key.replacingOccurrences(of: ":", with: "%3A"))"
        for path in [object, "/\(bucket)//probe/object", "/\(bucket)"] {
            #expect(try engine.curl("DELETE", path).status == 204, "\(path)")
        }
        for _ in 0..<2 {
            let answer = try stack.get(key, length: payload.count)
            #expect(answer.status == 503)
            #expect(answer.headers["retry-after"] == "5")
            #expect(answer.headers["cache-control"] == nil)
        }
        try eventually("the health check fails") { try stack.request("HEAD", "/v2/health/head").status == 503 }
    }

    @Test func `Without the bucket's locations in nginx, a download is 500, not 404`() throws {
        let stack = try Stack(engine: TestEngine.shared) { conf in
            conf.replacingOccurrences(of: "include lps/s3.conf;", with: "")
                .replacingOccurrences(of: "include lps/s3-http.conf;", with: "")
        }
        #expect(try stack.get(stack.store(payload), length: payload.count).status == 500)
    }
}
