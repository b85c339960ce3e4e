import Foundation
import TestSupport
import Testing

/// Temporal's codec server protocol on a bucket.
@Suite(.serialized, .runLimit) struct BucketCodecTests {
    @Test func `A worker that has not stored payloads decodes them, and says so when the engine is gone`() throws {
        let front = try BucketFront(TestEngine.shared)
        let stack = try Stack(through: front, options: ["--request-timeout", "3s"])
        func ask(_ operation: String, _ payloads: [JSONPayload]) throws -> HTTPAnswer {
            try stack.codec(operation, JSONPayloads(payloads).json)
        }
        let plain = [JSONPayload(randomPayload(200_000)), JSONPayload(randomPayload(5_000_000))]
        let encoded = try JSONPayloads(ask("encode", plain)).payloads
        stack.stop(stack.workers[0])
        try stack.startWorkers(1)
        for operation in ["decode", "download"] {
            let isSame = try JSONPayloads(ask(operation, encoded)).payloads == plain
            #expect(isSame, "\(operation)")
        }
        front.kill()
        #expect(try ask("decode", encoded).status == 503)
        #expect(try ask("encode", [JSONPayload(randomPayload(200_000))]).status == 503)
        try stack.expectNothingIncoming()
    }
}
