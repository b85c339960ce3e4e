import Foundation
import LargePayloadCodec
import MetricsTestKit
import TestSupport
import Testing

@Suite(.runLimit) struct PermanentFailureTests {
    private let content = Array("a payload that is larger than the limit".utf8)

    private func reference(size: Int? = nil, digest: String? = nil, key: String = "/bad", version: String = "v2")
        -> TestPayload
    {
        var payload = TestPayload(referenceTo: content, size: size, digest: digest, key: key, version: version)
        payload.externalPayloads = [3]
        return payload
    }

    /// A service that has all payloads except `/bad`, for which it answers this.
    private func service(_ status: Int, _ body: String) -> FakeService {
        FakeService { [content] request, _ in
            request.url.hasSuffix("/bad")
                ? CodecResponse(status: status, headers: [("X-Request-Id", "7")], body: Data(body.utf8))
                : CodecResponse(status: 200, body: Data(content))
        }
    }

    @Test(arguments: [
        (400, "what"), (401, "what"), (403, "not yours"), (404, "blob not found"), (412, "payload has 1 bytes"),
        (500, "damaged"), (501, "what"), (507, "what"), (301, "what"),
    ])
    func `A payload that the service refuses is replaced, and the others are decoded`(status: Int, message: String)
        async throws
    {
        let codec = try await service(status, message).codec()
        let decoded = try await codec.decode(payloads: [reference(key: "/a"), reference(), TestPayload([1])])
        #expect(decoded.map(\.data) == [Data(content), reference().data, Data([1])])
        #expect(
            LargePayloadCodec.failureMessage(of: decoded[1])
                == "download failed with status \(status): \(message) (key /bad, request 7)"
        )
    }

    @Test func `A payload that is replaced has an encoding that no converter knows, which contains the message`()
        async throws
    {
        let codec = try await service(404, "blob not found").codec()
        let decoded = try await codec.decode(payloads: [reference()])
        let message = "download failed with status 404: blob not found (key /bad, request 7)"
        var expected = reference()
        expected.metadata["encoding"] = Data("large-payload-codec/error: \(message)".utf8)
        #expect(decoded == [expected])
        #expect(LargePayloadCodec.failureMessage(of: reference()) == nil)
        #expect(LargePayloadCodec.failureMessage(of: TestPayload([1], [:])) == nil)
    }

    @Test func `A payload that was replaced is decoded once the service has it again`() async throws {
        let replaced = try await service(404, "blob not found").codec().decode(payloads: [reference()])
        let codec = try await service(200, String(decoding: content, as: UTF8.self)).codec {
            $0.minimumSize = 128_000
        }
        #expect(try await codec.encode(payloads: replaced) == replaced, "a workflow passes it on")
        var expected = TestPayload(content)
        expected.externalPayloads = [3]
        #expect(try await codec.decode(payloads: replaced) == [expected])
    }

    @Test func `A payload that differs from its reference, and a malformed reference, are replaced`() async throws {
        let codec = try await service(200, "something else").codec { $0.maximumDownloadSize = 1000 }
        for (payload, message) in [
            (
                reference(),
                "download failed with status 200: the payload has 14 bytes, expected 39 (key /bad, request 7)"
            ),
            (reference(version: "v1"), "download failed: it was stored under version v1 of the API, which"),
            (reference(version: "v3"), "download failed: unknown version 'v3' in temporal.io/remote-codec"),
            (reference(digest: "sha256:zz"), "download failed: invalid reference to a large payload: invalid digest"),
            (reference(size: 1001), "download failed: the payload has 1001 bytes, more than maximumDownloadSize, 1000"),
        ] {
            let decoded = try await codec.decode(payloads: [payload, reference(key: "/a")])
            #expect(LargePayloadCodec.failureMessage(of: decoded[0])?.hasPrefix(message) == true)
            #expect(decoded[0].data == payload.data)
            #expect(decoded[1].data == Data(content))
        }
    }

    @Test(arguments: [400, 403, 411, 412, 413, 507])
    func `A payload that cannot be stored is replaced, and the others are stored`(status: Int) async throws {
        let service = FakeService { request, _ in
            request.body?.count == 100
                ? CodecResponse(status: status, body: Data("too large".utf8))
                : CodecResponse(status: 201, body: Data(#"{"Key":"/k"}"#.utf8))
        }
        let codec = try await service.codec { $0.retries = .never }
        var refused = TestPayload(randomPayload(100))
        refused.externalPayloads = [3]
        let encoded = try await codec.encode(payloads: [TestPayload(randomPayload(200)), refused, TestPayload([1])])
        #expect(encoded[0].metadata["temporal.io/remote-codec"] == Data("v2".utf8))
        let message = "upload failed with status \(status): too large"
        var expected = TestPayload([], ["encoding": "large-payload-codec/error: \(message)"])
        expected.externalPayloads = [3]
        #expect(encoded[1] == expected)
        #expect(LargePayloadCodec.failureMessage(of: encoded[1]) == message)
        #expect(encoded[2] == TestPayload([1]))
        // Whoever decodes the history sees the same message.
        #expect(try await codec.decode(payloads: [encoded[1]]) == [encoded[1]])
    }

    @Test(arguments: [429, 502, 503, 504, nil])
    func `If the service is unavailable until the end of the retries, the codec throws`(status: Int?) async throws {
        let service = FakeService { _, _ in
            guard let status else { throw Broken() }
            return CodecResponse(status: status)
        }
        let codec = try await service.codec { $0.retries = .never }
        let encoding = await #expect(throws: LargePayloadCodecError.self) {
            try await codec.encode(payloads: [TestPayload(content)])
        }
        #expect(encoding?.status == status)
        let decoding = await #expect(throws: LargePayloadCodecError.self) {
            try await codec.decode(payloads: [reference()])
        }
        #expect(decoding?.status == status)
    }

    @Test func `A fault of the connection that a retry does not cure is thrown, since it concerns every payload`()
        async throws
    {
        let codec = try await FakeService { _, _ in throw CodecTransportError(Broken(), message: "not trusted") }
            .codec()
        let error = await #expect(throws: LargePayloadCodecError.self) {
            try await codec.decode(payloads: [reference()])
        }
        #expect(error?.message == "not trusted")
        #expect(error?.cause is Broken)
    }

    @Test func `An option makes the codec throw in both directions`() async throws {
        let service = FakeService { _, _ in CodecResponse(status: 403) }
        let codec = try await service.codec { $0.permanentFailures = .throwError }
        await #expect(throws: LargePayloadCodecError.self) {
            try await codec.encode(payloads: [TestPayload(content)])
        }
        await #expect(throws: LargePayloadCodecError.self) { try await codec.decode(payloads: [reference()]) }
    }

    @Test func `Payloads that are replaced are logged as errors and counted`() async throws {
        let metrics = TestMetrics()
        let log = RecordedLog()
        let codec = try await service(404, "blob not found").codec {
            $0.metrics = metrics
            $0.logger = log.logger
        }
        _ = try await codec.decode(payloads: [reference()])
        let counter = try metrics.expectCounter("large_payload_codec_replaced", [("operation", "download")])
        #expect(counter.totalValue == 1)
        let errors = log.lines.filter { $0.hasPrefix("error payload replaced") }
        #expect(errors.count == 1)
        #expect(errors.first?.contains("(key /bad, request 7)") == true)
    }
}
