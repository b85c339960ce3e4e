import FoundationEssentials
import PayloadKey

/// A Temporal payload, `temporal.api.common.v1.Payload`, independent of the library that generated it.
///
/// The payload of the Swift Temporal SDK conforms without further code:
///
/// ```swift
/// extension Api.Common.V1.Payload: @retroactive TemporalPayload {}
/// ```
public protocol TemporalPayload {
    /// Creates a payload without metadata and data.
    init()
    /// Describes the data. The entry `encoding` names the serialization, for example `json/plain`.
    var metadata: [String: Data] { get set }
    /// The bytes of the serialized value.
    var data: Data { get set }
}

extension TemporalPayload {
    init(_ metadata: TemporalMetadata, _ data: Data) {
        self.init()
        let pairs = metadata.entries.map { (String(decoding: $0.name, as: UTF8.self), Data($0.value)) }
        self.metadata = Dictionary(pairs) { $1 }
        self.data = data
    }

    var temporalMetadata: TemporalMetadata {
        TemporalMetadata(metadata.map { (Array($0.key.utf8), Array($0.value)) })
    }
}
