import Foundation
import TestSupport
import Testing

/// Temporal's codec server protocol on a bucket.
@Suite(.serialized, .timeLimit(.minutes(5))) struct BucketCodecTests {
    private func payloads(_ operation: String, _ payloads: [JSONPayload], _ stack: Stack) throws -> [JSONPayload] {
        try JSONPayloads(stack.codec(operation, JSONPayloads(payloads).json)).payloads
    }

    @Test(arguments: Stack.Variant.allCases.filter(\.isBucket))
    func `Large payloads become references and come back, decoded and downloaded`(variant: Stack.Variant) throws {
        let stack = try Stack(variant)
        let plain = [
            JSONPayload(randomPayload(200_000)), JSONPayload(Array("small".utf8)),
            JSONPayload(randomPayload(5_000_000), metadata: ["a": "1", "remote-codec/key-prefix": "team/a"]),
        ]
        let encoded = try payloads("encode", plain, stack)
        #expect(encoded.map { $0.data.count < 1_000 } == [true, true, true])
        #expect(encoded[1] == plain[1])
        let listed = try stack.listing()
        #expect(listed.count == 2)
        #expect(listed.contains { $0.contains("/blobs/default/custom/team/a/sha256:") })
        let isDecoded = try payloads("decode", encoded, stack) == plain
        #expect(isDecoded)
        let isDownloaded = try payloads("download", [encoded[0], encoded[2]], stack) == [plain[0], plain[2]]
        #expect(isDownloaded)
        // A worker that has not stored them, and knows no sizes.
        stack.stop(stack.workers[0])
        try stack.startWorkers(1)
        let isDecodedAnew = try payloads("decode", encoded, stack) == plain
        #expect(isDecodedAnew)
        try stack.expectNothingIncoming()
    }

    @Test
    func `A reference to a payload that was deleted is told, and one of an engine that is gone may be tried again`()
        throws
    {
        let front = try BucketFront(TestEngine.shared)
        let stack = try Stack(through: front, options: ["--request-timeout", "3s"])
        let encoded = try payloads("encode", [JSONPayload(randomPayload(200_000))], stack)
        let other = try payloads("encode", [JSONPayload(randomPayload(200_000))], stack)
        let reference = String(decoding: other[0].data, as: UTF8.self)
        let key = try #require(reference.components(separatedBy: "\"key\":\"").last?.split(separator: "\"").first)
        #expect(try stack.lps("rm", String(key)).status == 0)
        stack.stop(stack.workers[0])
        try stack.startWorkers(1)
        expectError(try stack.codec("decode", JSONPayloads(other).json), 400, "payload 0: blob not found", "deleted")
        front.kill()
        let answer = try stack.codec("decode", JSONPayloads(encoded).json)
        #expect(answer.status == 503, "\(answer.text.prefix(200))")
        #expect(try stack.codec("encode", JSONPayloads([JSONPayload(randomPayload(200_000))]).json).status == 503)
    }
}
