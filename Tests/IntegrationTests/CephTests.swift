import Foundation
import TestSupport
import Testing

/// Cases that only Ceph can produce; `make test-ceph` runs them.
@Suite(.serialized, .runLimit) struct CephTests {
    private let engine: Ceph
    private let payload = randomPayload(1_000)

    init() throws { engine = try Ceph() }

    @Test func `While the engine's quota is used up, uploads are 507 and downloads succeed`() throws {
        let stack = try Stack(engine: engine)
        let key = try Stack.key(stack.put(payload))
        try engine.setQuota(objects: 0)
        let refused = try stack.put(randomPayload(10))
        #expect(refused.status == 507, "\(refused.text)")
        #expect(try stack.get(key, length: payload.count).body == payload)
        #expect(try stack.request("HEAD", "/v2/health/head").status == 200)
        try engine.setQuota(objects: nil)
        #expect(try stack.put(randomPayload(10)).status == 201)
    }

    @Test func `An object that only another user can read is 503, not 404`() throws {
        let stack = try Stack(engine: engine, bucket: "payloads")
        let other = try engine.createUser("other")
        let policy = """
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject",
             "Principal": {"AWS": ["arn:aws:iam:::user/other"]}, "Resource": "arn:aws:s3:::payloads/*"}]}
            """
        try write(policy.utf8, to: stack.folder.file("policy"))
        #expect(try engine.curl("PUT", "/payloads?policy=", bodyFile: stack.folder.file("policy")).status == 204)
        let key = "/blobs/default/common/\(Stack.digest(payload))/\(Stack.digest([]))"
        try write(payload, to: stack.folder.file("payload"))
        let path = "/payloads/\(key.replacingOccurrences(of: ":", with: "%3A"))"
        #expect(try engine.curl("PUT", path, bodyFile: stack.folder.file("payload"), as: other).status == 200)

        #expect(try stack.get(key, length: payload.count).status == 503)
        #expect(stack.workerLog.contains("403"))
        #expect(try stack.lps("ls").output.contains(key))
    }
}
