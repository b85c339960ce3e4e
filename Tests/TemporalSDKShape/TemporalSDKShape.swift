// Copies of the Swift Temporal SDK's codec protocol and generated payload type. As in the SDK, they are in a separate
// module: the codec must conform to the protocol whichever isolation rules that module is compiled with.

import Foundation

package enum Api {
    package enum Common {
        package enum V1 {
            package struct Payload: Sendable, Equatable {
                package var metadata: [String: Data] = [:]
                package var data: Data = Data()
                // A field that the codec does not know.
                package var externalPayloads: [Int] = []

                package init() {}
            }
        }
    }
}

package protocol PayloadCodec: Sendable {
    func encode(payloads: some Collection<Api.Common.V1.Payload>) async throws -> [Api.Common.V1.Payload]
    func decode(payloads: some Collection<Api.Common.V1.Payload>) async throws -> [Api.Common.V1.Payload]
}

extension PayloadCodec {
    package func encode(payload: Api.Common.V1.Payload) async throws -> Api.Common.V1.Payload {
        try await self.encode(payloads: CollectionOfOne(payload))[0]
    }

    package func decode(payload: Api.Common.V1.Payload) async throws -> Api.Common.V1.Payload {
        try await self.decode(payloads: CollectionOfOne(payload))[0]
    }
}

package protocol PayloadConverter: Sendable {
    func convertValue(_ value: some Any) throws -> Api.Common.V1.Payload
    func convertPayload<Value>(_ payload: Api.Common.V1.Payload, as valueType: Value.Type) throws -> Value
}
