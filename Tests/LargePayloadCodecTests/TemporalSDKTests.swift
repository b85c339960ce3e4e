import Foundation
import LargePayloadCodec
import TestSupport
import Testing

// The shape of the Swift Temporal SDK's codec protocol and of its generated payload.
enum Api {
    enum Common {
        enum V1 {
            struct Payload: Sendable, Equatable {
                var metadata: [String: Data] = [:]
                var data: Data = Data()
                // A field that the codec does not know of.
                var externalPayloads: [Int] = []

                init() {}
            }
        }
    }
}

protocol PayloadCodec: Sendable {
    func encode(payloads: some Collection<Api.Common.V1.Payload>) async throws -> [Api.Common.V1.Payload]
    func decode(payloads: some Collection<Api.Common.V1.Payload>) async throws -> [Api.Common.V1.Payload]
}

extension PayloadCodec {
    func encode(payload: Api.Common.V1.Payload) async throws -> Api.Common.V1.Payload {
        try await self.encode(payloads: CollectionOfOne(payload))[0]
    }
}

// What a user of the SDK writes, and nothing more.
extension Api.Common.V1.Payload: TemporalPayload {}
extension LargePayloadCodec: PayloadCodec {}

@Suite struct TemporalSDKTests {
    @Test func `Two empty extensions make it a codec of the Swift Temporal SDK`() async throws {
        let codec: any PayloadCodec = try await LargePayloadCodec(.init(FakeService.storing()))
        var payload = Api.Common.V1.Payload()
        payload.metadata = ["encoding": Data("binary/plain".utf8)]
        payload.data = Data(randomPayload(1000))
        let encoded = try await codec.encode(payload: payload)
        #expect(encoded.metadata["temporal.io/remote-codec"] == Data("v2".utf8))
        #expect(encoded.data.count < 500)
        #expect(try await codec.decode(payloads: [encoded]) == [payload])
    }
}
