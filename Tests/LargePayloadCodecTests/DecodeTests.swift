import Foundation
import LargePayloadCodec
import TestSupport
import Testing

@Suite(.runLimit) struct DecodeTests {
    private let content = Array("a payload that is larger than the limit".utf8)

    /// A payload with a reference to `content`, apart from the given deviations.
    private func reference(size: Int? = nil, digest: String? = nil, key: String = "/k", version: String = "v2")
        -> TestPayload
    {
        TestPayload(referenceTo: content, size: size, digest: digest, key: key, version: version)
    }

    private func failure(_ payload: TestPayload, _ answer: CodecResponse) async throws -> LargePayloadCodecError? {
        let codec = try await FakeService { _, _ in answer }.codec { $0.permanentFailures = .throwError }
        return await #expect(throws: LargePayloadCodecError.self) { try await codec.decode(payloads: [payload]) }
    }

    @Test func `A download sends key and length, and restores metadata and data`() async throws {
        let service = FakeService { [content] _, _ in CodecResponse(status: 200, body: Data(content)) }
        let codec = try await service.codec()
        let decoded = try await codec.decode(payloads: [reference(key: "/blobs/a b&+é"), TestPayload([1])])
        #expect(decoded == [TestPayload(content), TestPayload([1])])
        let request = try #require(service.requests.first)
        #expect(service.requests.count == 1)
        #expect(request.method == "GET")
        #expect(request.url == "http://service.test/below/v2/blobs/get?key=/blobs/a%20b%26%2B%C3%A9")
        #expect(request.body == nil)
        #expect(
            request.headers.map { "\($0.name): \($0.value)" } == [
                "Content-Type: application/octet-stream", "X-Payload-Expected-Content-Length: \(content.count)",
            ]
        )
    }

    @Test func `A damaged copy from an HTTP cache is downloaded again once, past the cache`() async throws {
        let service = FakeService { [content] request, _ in
            let isPastCache = request.headers.contains { $0 == ("Cache-Control", "no-cache") }
            return CodecResponse(status: 200, body: Data(isPastCache ? content : content.dropLast() + [0]))
        }
        let codec = try await service.codec()
        #expect(try await codec.decode(payloads: [reference()]) == [TestPayload(content)])
        #expect(service.requests.count == 2)
    }

    @Test func `A download whose length or digest differs from the reference is an error`() async throws {
        let other = CodecResponse(status: 200, body: Data(content.dropLast() + [0]))
        let mismatch = try await failure(reference(), other)
        #expect(mismatch?.code == .contentMismatch)
        #expect(mismatch?.key == "/k")
        #expect(mismatch?.message.hasPrefix("the payload has digest sha256:") == true)
        let short = try await failure(reference(), CodecResponse(status: 200, body: Data(content.dropLast())))
        #expect(short?.code == .contentMismatch)
        #expect(short?.message == "the payload has 38 bytes, expected 39")
        let long = CodecResponse(status: 200, body: Data(content), isTruncated: true)
        #expect(try await failure(reference(), long)?.message == "the payload has more than 39 bytes, expected 39")
    }

    @Test func `An answer is read only up to the size in the reference`() async throws {
        let service = FakeService { _, _ in CodecResponse(status: 200) }
        let codec = try await service.codec {
            $0.maximumDownloadSize = .max
            $0.permanentFailures = .throwError
        }
        for size in [1_000_000, Int.max] {
            await #expect(throws: LargePayloadCodecError.self) {
                try await codec.decode(payloads: [reference(size: size)])
            }
            #expect(service.requests.last?.maximumResponseSize == size)
        }
    }

    @Test(arguments: [400, 403, 404, 412, 500, 507, 301])
    func `An error contains the service's status and message, and the key`(status: Int) async throws {
        let answer = CodecResponse(
            status: status,
            headers: [("x-request-ID", "4f2a")],
            body: Data("what is\nwrong\r\n".utf8)
        )
        let error = try await failure(reference(), answer)
        #expect(error?.code == .refused)
        #expect(error?.operation == .download)
        #expect(error?.status == status)
        #expect(error?.message == "what is wrong")
        #expect(error?.key == "/k")
        #expect(error?.requestID == "4f2a")
        #expect(
            error.map { "\($0)" }
                == "large payload codec: download failed with status \(status): what is wrong (key /k, request 4f2a)"
        )
    }

    @Test func `A reference to a payload over the maximum size is refused without a request`() async throws {
        let service = FakeService { [content] _, _ in CodecResponse(status: 200, body: Data(content)) }
        let codec = try await service.codec {
            $0.maximumDownloadSize = content.count
            $0.permanentFailures = .throwError
        }
        #expect(try await codec.decode(payloads: [reference()]) == [TestPayload(content)])
        let error = await #expect(throws: LargePayloadCodecError.self) {
            try await codec.decode(payloads: [reference(size: content.count + 1)])
        }
        #expect(error?.code == .tooLarge)
        #expect(error?.key == "/k")
        #expect(error?.message == "the payload has 40 bytes, more than maximumDownloadSize, 39")
        #expect(service.requests.count == 1)
        let byDefault = try await service.codec { $0.permanentFailures = .throwError }
        await #expect(throws: LargePayloadCodecError.self) {
            try await byDefault.decode(payloads: [reference(size: 1 << 30 + 1)])
        }
        #expect(service.requests.count == 1)
    }

    @Test func `An invalid reference is an error that names the version or digest`() async throws {
        let service = FakeService { _, _ in CodecResponse(status: 200) }
        let codec = try await service.codec { $0.permanentFailures = .throwError }
        for (version, message) in [
            ("v1", "it was stored under version v1 of the API, which this service does not have"),
            ("v3", "unknown version 'v3' in temporal.io/remote-codec"), ("", "unknown version ''"),
        ] {
            let error = await #expect(throws: LargePayloadCodecError.self) {
                try await codec.decode(payloads: [reference(version: version)])
            }
            #expect(error?.code == .invalidReference)
            #expect(error?.message.hasPrefix(message) == true)
        }
        let broken = await #expect(throws: LargePayloadCodecError.self) {
            try await codec.decode(payloads: [reference(digest: "sha256:zz")])
        }
        #expect(broken?.message == "invalid reference to a large payload: invalid digest 'sha256:zz'")
        #expect(service.requests.isEmpty)
    }

    @Test func `A reference whose metadata was edited is refused without a download`() async throws {
        let key = "/blobs/ns/common/\(Stack.digest(content))/\(Stack.digest(Array("encodingbinary/plain".utf8)))"
        let service = FakeService { [content] _, _ in CodecResponse(status: 200, body: Data(content)) }
        let codec = try await service.codec { $0.permanentFailures = .throwError }
        #expect(try await codec.decode(payloads: [reference(key: key)]) == [TestPayload(content)])
        let json = String(decoding: reference(key: key).data, as: UTF8.self)
            .replacingOccurrences(of: Data("binary/plain".utf8).base64EncodedString(), with: "eA==")
        let edited = TestPayload(Array(json.utf8), ["encoding": "json/plain", "temporal.io/remote-codec": "v2"])
        let error = await #expect(throws: LargePayloadCodecError.self) { try await codec.decode(payloads: [edited]) }
        #expect(error?.code == .invalidReference)
        #expect(error?.message == "its metadata is not the one of its key \(key)")
        #expect(service.requests.count == 1)
    }

    @Test func `Several references to the same payload in one call cause one download`() async throws {
        let service = FakeService { [content] _, _ in CodecResponse(status: 200, body: Data(content)) }
        let codec = try await service.codec()
        let payloads = [reference(), reference(key: "/other"), reference(), reference()]
        #expect(try await codec.decode(payloads: payloads) == Array(repeating: TestPayload(content), count: 4))
        #expect(service.requests.count == 2)
    }
}
