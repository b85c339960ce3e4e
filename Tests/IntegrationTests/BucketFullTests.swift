import Foundation
import TestSupport
import Testing

/// A bucket that takes no more.
@Suite(.serialized, .runLimit) struct BucketFullTests {
    @Test(arguments: [(403, "QuotaExceeded"), (507, "XMinioStorageFull")])
    func `An upload that the engine has no room for is 507, and what is stored is served`(
        status: Int,
        code: String
    ) throws {
        let front = try BucketFront(
            TestEngine.shared,
            """
            set $upload "$request_method $request_uri";
            if ($upload ~ "^PUT .*/blobs/") { return \(status) '<Error><Code>\(code)</Code></Error>'; }
            """
        )
        let stack = try Stack(through: front)
        let payload = randomPayload(10_000)
        try write(payload, to: stack.folder.file("payload"))
        // Commands go past the front.
        let put = try stack.lps("put", stack.folder.file("payload"), "--namespace", "default")
        #expect(put.status == 0, "\(put.output)")
        let answer = try stack.put(randomPayload(10))
        #expect(answer.status == 507)
        #expect(answer.text == "the storage engine has no space")
        #expect(stack.workerLog.contains("the engine of the store is full"))
        #expect(stack.workerLog.contains("PUT of an object: \(status) \(code)"))
        let key = put.output.trimmingCharacters(in: .newlines)
        #expect(try stack.get(key, length: payload.count).body == payload)
        #expect(try stack.request("HEAD", "/v2/health/head").status == 200)
    }
}
