// The shape of the Swift Temporal SDK's codec protocol and of its generated payload, in a module of its own, as the SDK
// is: with whichever rules of isolation it is compiled, the codec must satisfy the protocol.

import Foundation

public enum Api {
    public enum Common {
        public enum V1 {
            public struct Payload: Sendable, Equatable {
                public var metadata: [String: Data] = [:]
                public var data: Data = Data()
                // A field that the codec does not know of.
                public var externalPayloads: [Int] = []

                public init() {}
            }
        }
    }
}

public protocol PayloadCodec: Sendable {
    func encode(payloads: some Collection<Api.Common.V1.Payload>) async throws -> [Api.Common.V1.Payload]
    func decode(payloads: some Collection<Api.Common.V1.Payload>) async throws -> [Api.Common.V1.Payload]
}

extension PayloadCodec {
    public func encode(payload: Api.Common.V1.Payload) async throws -> Api.Common.V1.Payload {
        try await self.encode(payloads: CollectionOfOne(payload))[0]
    }
}
