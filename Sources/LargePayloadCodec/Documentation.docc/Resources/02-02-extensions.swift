import LargePayloadCodec
import Temporal

extension Api.Common.V1.Payload: @retroactive TemporalPayload {}
extension LargePayloadCodec: @retroactive PayloadCodec {}
