import Foundation
import TestSupport
import Testing

/// Payloads, or the bucket, that go while the service runs: what a client is told, whoever finds out.
@Suite(.serialized, .runLimit) struct BucketDeletedTests {
    private let engine: any S3Engine
    private let payload = randomPayload(100_000)

    init() throws { engine = try TestEngine.shared }

    @Test func `A payload that was deleted is not found, also when a worker has just seen it`() throws {
        let stack = try Stack(engine: engine)
        let key = try Stack.key(stack.put(payload))
        #expect(try stack.lps("rm", key).status == 0)
        let answer = try stack.get(key, length: payload.count)
        #expect(answer.status == 404)
        #expect(answer.text == "blob not found")
        #expect(answer.headers["cache-control"] == nil)
        #expect(try stack.put(payload).status == 201, "it can be stored again")
        #expect(try stack.get(key, length: payload.count).body == payload)
    }

    @Test(arguments: [Stack.Mode.handover, .plain])
    func `When the bucket is gone, no payload counts as one that was not stored`(mode: Stack.Mode) throws {
        let bucket = "gone-\(UUID().uuidString.lowercased())"
        try engine.createBucket(bucket)
        let stack = try Stack(mode, engine: engine, bucket: bucket)
        let key = try Stack.key(stack.put(payload))
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
        try eventually("health tells") { try stack.request("HEAD", "/v2/health/head").status == 503 }
    }

    @Test
    func `Without the locations of the bucket in nginx, a download fails, and does not look like a missing payload`()
        throws
    {
        let stack = try Stack(engine: engine) { conf in
            conf.replacingOccurrences(of: "include lps/s3.conf;", with: "")
                .replacingOccurrences(of: "include lps/s3-http.conf;", with: "")
        }
        let key = try Stack.key(stack.put(payload))
        let answer = try stack.get(key, length: payload.count)
        #expect(answer.status == 500)
    }
}
