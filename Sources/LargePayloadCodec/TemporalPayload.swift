#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import PayloadKey

/// A Temporal payload, `temporal.api.common.v1.Payload`, independent of the library that generated it.
///
/// The payload of the Swift Temporal SDK conforms without further code:
///
/// ```swift
/// extension Api.Common.V1.Payload: @retroactive TemporalPayload {}
/// ```
///
/// The codec replaces metadata and data, and keeps all other members of a payload.
public protocol TemporalPayload {
    /// Describes the data. The entry `encoding` names the serialization, for example `json/plain`.
    var metadata: [String: Data] { get set }
    /// The bytes of the serialized value.
    var data: Data { get set }
}

extension TemporalPayload {
    /// The metadata as byte strings. Setting it keeps the last of names that are equal as `String`s.
    var temporalMetadata: TemporalMetadata {
        get { TemporalMetadata(metadata.map { (Array($0.key.utf8), Array($0.value)) }) }
        set {
            let pairs = newValue.entries.map { (String(decoding: $0.name, as: UTF8.self), Data($0.value)) }
            metadata = Dictionary(pairs) { $1 }
        }
    }
}
