import Foundation
import LargePayloadCodec
import TemporalSDKShape
import TestSupport
import Testing

// Exactly what a user of the SDK has to write.
extension Api.Common.V1.Payload: TemporalPayload {}
extension LargePayloadCodec: PayloadCodec {}

@Suite(.runLimit) struct TemporalSDKTests {
    @Test func `Two empty extensions are enough for the Swift Temporal SDK`() async throws {
        let codec: any PayloadCodec = try await FakeService.storing().codec()
        var payload = Api.Common.V1.Payload()
        payload.metadata = ["encoding": Data("binary/plain".utf8)]
        payload.data = Data(randomPayload(1000))
        let encoded = try await codec.encode(payload: payload)
        #expect(encoded.metadata["temporal.io/remote-codec"] == Data("v2".utf8))
        #expect(encoded.data.count < 500)
        #expect(try await codec.decode(payloads: [encoded]) == [payload])
    }
}
