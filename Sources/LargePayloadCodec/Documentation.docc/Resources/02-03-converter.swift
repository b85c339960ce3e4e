import LargePayloadCodec
import Temporal

extension Api.Common.V1.Payload: @retroactive TemporalPayload {}
extension LargePayloadCodec: @retroactive PayloadCodec {}

func makeDataConverter() async throws -> DataConverter {
    let options = LargePayloadCodec.Options(url: "http://127.0.0.1:8577", namespace: "default")
    return DataConverter(
        payloadConverter: DefaultPayloadConverter(),
        failureConverter: DefaultFailureConverter(),
        payloadCodec: try await LargePayloadCodec(options)
    )
}
