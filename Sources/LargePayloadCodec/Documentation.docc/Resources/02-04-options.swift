import LargePayloadCodec
import Logging
import Temporal

extension Api.Common.V1.Payload: @retroactive TemporalPayload {}
extension LargePayloadCodec: @retroactive PayloadCodec {}

func makeDataConverter(token: String) async throws -> DataConverter {
    var options = LargePayloadCodec.Options(url: "http://127.0.0.1:8577", namespace: "default")
    options.headers = [.init("Authorization", "Bearer \(token)")]
    options.cacheSize = 64 << 20
    options.logger = Logger(label: "large-payload-codec")
    return DataConverter(
        payloadConverter: DefaultPayloadConverter(),
        failureConverter: DefaultFailureConverter(),
        payloadCodec: try await LargePayloadCodec(options)
    )
}
