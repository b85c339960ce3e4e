import Foundation
import TestSupport
import Testing

@testable import PayloadService

/// How the codec server shows large payloads to clients that can download them, and to others.
@Suite(.runLimit) struct CodecDisplayTests {
    private let limits = CodecLimits(minimumSize: 100, displayLimit: 1500, answerLimit: 10_000)

    @Test(arguments: Setup.disk)
    func `A client that can download sees a storage reference for a payload over the display limit`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup, codec: limits)
        let payloads = [1500, 1501].map { JSONPayload(randomPayload($0)) }
        let encoded = try fixture.codec("encode", payloads)
        let shown = try fixture.codec("decode?preserveStorageRefs=true", encoded)
        #expect(shown[0] == payloads[0])
        try expectStorageReference(shown[1], to: payloads[1])
        // The Web UI sends the payload from the history.
        #expect(try fixture.codec("download?preserveStorageRefs=true", [encoded[1]]) == [payloads[1]])
        for query in ["", "?preserveStorageRefs=false", "?preserveStorageRefs=", "?preserveStorageRefs=1"] {
            #expect(try fixture.codec("decode\(query)", encoded) == payloads, "\(query)")
        }
    }

    private func expectStorageReference(_ shown: JSONPayload, to payload: JSONPayload) throws {
        #expect(shown.metadata["encoding"] == Data("json/protobuf".utf8))
        #expect(shown.metadata["messageType"] == Data("temporal.api.sdk.v1.ExternalStorageReference".utf8))
        #expect(shown.externalPayloads == [JSONPayload.External(sizeBytes: "\(payload.data.count)")])
        let data = try #require(JSONSerialization.jsonObject(with: shown.data) as? [String: Any])
        let claim = try #require(data["claimData"] as? [String: String])
        #expect(data["driverName"] as? String == "large-payload-service")
        #expect(claim["size"] == "\(payload.data.count)")
        #expect(claim["digest"] == Stack.digest(Array(payload.data)))
        #expect(claim["key"]?.hasPrefix("/blobs/ns/common/sha256:") == true)
    }

    @Test(arguments: Setup.disk)
    func `A payload that would exceed the answer limit stays a reference, or becomes a placeholder on request`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup, codec: limits)
        let payloads = [5000, 4000, 1000].map { JSONPayload(randomPayload($0)) }
        let references = try fixture.codec("encode", payloads)
        let encoded = try JSONPayloads(references).json
        let undecoded = #"1;reason="the answer would have over 10000 bytes""#
        let answer = try fixture.ask(.codec("decode", encoded))
        #expect(answer.headers["X-LPS-Undecoded"] == undecoded)
        #expect(answer.body.count <= 10_000)
        #expect(try answer.payloads == [payloads[0], references[1], payloads[2]])

        let replaced = try fixture.ask(.codec("decode?placeholders=true", encoded))
        #expect(replaced.headers["X-LPS-Undecoded"] == undecoded)
        #expect(replaced.body.count <= 10_000)
        let shown = try replaced.payloads
        #expect([shown[0], shown[2]] == [payloads[0], payloads[2]])
        #expect(shown[1].metadata == ["encoding": Data("json/plain".utf8)])
        let data = try #require(JSONSerialization.jsonObject(with: shown[1].data) as? [String: Any])
        #expect(data["size"] as? Int == 4000)
        #expect(data["digest"] as? String == Stack.digest(Array(payloads[1].data)))
        #expect((data["key"] as? String)?.hasPrefix("/blobs/ns/common/") == true)
        let message = "a payload of 4000 bytes is not shown: the answer would have over 10000 bytes"
        #expect(data["placeholder"] as? String == message)

        let preserved = try fixture.ask(.codec("decode?preserveStorageRefs=TRUE", encoded))
        #expect(preserved.headers["X-LPS-Undecoded"] == nil)
        try expectStorageReference(preserved.payloads[0], to: payloads[0])
        try expectStorageReference(preserved.payloads[1], to: payloads[1])
        #expect(try preserved.payloads[2] == payloads[2])
    }

    @Test(arguments: Setup.disk)
    func `A download returns one payload of any size, or several within the answer limit`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, codec: limits)
        let payloads = [20_000, 2000, 2000].map { JSONPayload(randomPayload($0)) }
        let encoded = try fixture.codec("encode", payloads)
        #expect(try fixture.codec("download", [encoded[0]]) == [payloads[0]])
        #expect(try fixture.codec("download", [encoded[1], encoded[2]]) == [payloads[1], payloads[2]])
        let both = try fixture.ask(.codec("download", JSONPayloads([encoded[1], encoded[0]]).json))
        let message = "payload 1: the answer would have over 10000 bytes, download fewer at once"
        expectRefusal(both, 400, message)
    }

    @Test func `An answer is at most as long as the answer limit`() throws {
        let payloads = [JSONPayload(randomPayload(3000)), JSONPayload(randomPayload(3000))]
        let whole = try JSONPayloads(payloads).json.count - payloads.count * "\"\"".utf8.count
        for limit in [whole - 200, whole + 200] {
            let limits = CodecLimits(minimumSize: 100, answerLimit: UInt64(limit))
            let fixture = try ServiceFixture(codec: limits)
            let encoded = try JSONPayloads(fixture.codec("encode", payloads)).json
            let answer = try fixture.ask(.codec("decode", encoded))
            #expect(answer.body.count <= limit)
            let undecoded = "1;reason=\"the answer would have over \(limit) bytes\""
            #expect(answer.headers["X-LPS-Undecoded"] == (limit < whole ? undecoded : nil))
        }
    }
}
