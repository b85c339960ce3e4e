import Foundation
import LargePayloadCodec
import TestSupport
import Testing

@Suite(.runLimit) struct EncodeTests {
    @Test(arguments: CodecVector.all)
    func `A payload is encoded byte for byte as by the existing codec, and decoded again`(vector: CodecVector)
        async throws
    {
        let key = try #require(
            String(decoding: vector.encoded, as: UTF8.self).components(separatedBy: "\"").dropLast().last
        )
        let service = FakeService { request, _ in
            request.method == "PUT"
                ? CodecResponse(status: 201, body: Data("{\"Key\":\"\(key)\"}\n".utf8))
                : CodecResponse(status: 200, body: Data(vector.data))
        }
        let codec = try await service.codec { $0.namespace = "test" }
        let payload = TestPayload(vector.data, vector.metadata)
        let encoded = try await codec.encode(payloads: [payload])
        #expect(encoded.map { Array($0.data) } == [vector.encoded])
        #expect(
            encoded[0].metadata == [
                "encoding": Data("json/plain".utf8), "temporal.io/remote-codec": Data("v2".utf8),
            ]
        )
        #expect(try await codec.decode(payloads: encoded) == [payload])
    }

    @Test func `An upload sends namespace, digest, metadata and the configured headers`() async throws {
        let service = FakeService.storing()
        let codec = try await service.codec {
            $0.namespace = "my ns&é"
            $0.headers = [.init("X-Team", "a"), .init("X-Team", "b")]
        }
        let content = randomPayload(100)
        _ = try await codec.encode(payloads: [TestPayload(content)])
        let request = try #require(service.requests.first)
        #expect(request.method == "PUT")
        let digest = Stack.digest(content).replacingOccurrences(of: ":", with: "%3A")
        #expect(
            request.url == "http://service.test/below/v2/blobs/put?namespace=my%20ns%26%C3%A9&digest=\(digest)"
        )
        #expect(request.body == Data(content))
        let headers = request.headers.map { "\($0.name): \($0.value)" }
        let metadata = Data(#"{"encoding":"YmluYXJ5L3BsYWlu"}"#.utf8).base64EncodedString()
        #expect(
            headers == [
                "Content-Type: application/octet-stream", "X-Temporal-Metadata: \(metadata)", "X-Team: a", "X-Team: b",
            ]
        )
    }

    @Test func `Only payloads whose protobuf serialization exceeds the minimum size are uploaded`() async throws {
        let service = FakeService.storing()
        let codec = try await service.codec { $0.minimumSize = 128_000 }
        // Tag and length add 4 bytes.
        let payloads = [127_996, 127_997, 0].map { TestPayload(randomPayload($0), [:]) }
        let encoded = try await codec.encode(payloads: payloads)
        #expect(service.requests.count == 1)
        #expect(encoded[0] == payloads[0])
        #expect(encoded[1] != payloads[1])
        #expect(encoded[2] == payloads[2])
        #expect(try await codec.decode(payloads: encoded) == payloads)
    }

    @Test func `Members of a payload other than metadata and data are kept in both directions`() async throws {
        let codec = try await FakeService.storing().codec()
        var payload = TestPayload(randomPayload(100))
        payload.externalPayloads = [7]
        let encoded = try await codec.encode(payloads: [payload])
        #expect(encoded[0].externalPayloads == [7])
        #expect(try await codec.decode(payloads: encoded) == [payload])
    }

    @Test func `A decode-only codec returns payloads unchanged when it encodes`() async throws {
        let service = FakeService.storing()
        let codec = try await service.codec { $0.isDecodeOnly = true }
        let payload = TestPayload(randomPayload(1000))
        #expect(try await codec.encode(payloads: [payload]) == [payload])
        #expect(service.requests.isEmpty)
    }

    @Test func `Encoding and decoding keep the number and order of payloads, also of none`() async throws {
        let service = FakeService.storing()
        let codec = try await service.codec()
        #expect(try await codec.encode(payloads: [TestPayload]()) == [])
        let payloads = (0..<50).map { TestPayload(randomPayload($0 % 3 == 0 ? 5 : 100 + $0)) }
        let encoded = try await codec.encode(payloads: payloads[...])
        #expect(try await codec.decode(payloads: encoded) == payloads)
    }

    @Test(
        arguments: [
            "", "{}", "[]", #"{"Key":""}"#, #"{"Key":1}"#, "<html>", #"{"Key":"/k"}x"#,
            #"{"Key":"/blobs/ns/common/\#(Stack.digest([1]))/\#(Stack.digest([]))"}"#,
        ]
    )
    func `An upload's answer without a key of the payload is an error`(body: String) async throws {
        let service = FakeService { _, _ in CodecResponse(status: 201, body: Data(body.utf8)) }
        let error = try await service.failure(encoding: TestPayload(randomPayload(100)))
        #expect(error?.code == .invalidAnswer)
        #expect(error?.status == 201)
        #expect(service.requests.count == 1)
    }

    @Test func `The member Key is read in any case, as in Go clients`() async throws {
        let service = FakeService { _, _ in CodecResponse(status: 200, body: Data(#"{"more":[1],"key":"/k"}"#.utf8)) }
        let codec = try await service.codec()
        let encoded = try await codec.encode(payloads: [TestPayload(randomPayload(100))])
        #expect(String(decoding: encoded[0].data, as: UTF8.self).hasSuffix(#""key":"/k"}"#))
    }
}
