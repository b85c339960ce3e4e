/// The metadata of a Temporal payload: names and values, both byte strings.
///
/// Two names that differ in any byte are two names, also where Unicode calls them equivalent; hence no `Dictionary` of
/// `String`s here.
public struct TemporalMetadata: Equatable, Sendable {
    /// The metadata name whose value becomes the key's prefix.
    public static let keyPrefixName = "remote-codec/key-prefix"

    /// One name with its value.
    public struct Entry: Equatable, Sendable {
        /// UTF-8.
        public let name: [UInt8]
        /// Any bytes.
        public let value: [UInt8]
    }

    /// The entries in order of their names' bytes, each name once.
    public let entries: [Entry]

    /// Takes entries in any order; of a name given twice the last one counts.
    public init(_ entries: some Sequence<(name: [UInt8], value: [UInt8])>) {
        let byName = Dictionary(entries.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        self.entries = byName.map(Entry.init(name:value:))
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// Decodes the value of an `X-Temporal-Metadata` header: standard base64 (RFC 4648 section 4) of a JSON object that
    /// maps each name to the base64 of its value. JSON `null` counts as no metadata, a `null` value as an empty one.
    ///
    /// - Throws: ``TemporalMetadataError`` that says which layer does not decode.
    public init(header: [UInt8]) throws(TemporalMetadataError) {
        guard let json = StandardBase64.decode(header) else { throw .headerNotBase64 }
        let members: [FlatJSONObject.Member]
        do {
            members = try FlatJSONObject.parse(json)
        } catch {
            throw .notJSON(error)
        }
        var entries: [(name: [UInt8], value: [UInt8])] = []
        for member in members {
            guard let text = member.value else {
                entries.append((member.name, []))
                continue
            }
            guard let value = StandardBase64.decode(text) else { throw .valueNotBase64(name: member.name) }
            entries.append((member.name, value))
        }
        self.init(entries)
    }

    /// The hash that ends a payload's key: SHA-256 over name, value, name, value, … in order of the names, without
    /// separators.
    public var hash: Digest {
        var hasher = DigestHasher()
        for entry in entries {
            hasher.update(entry.name)
            hasher.update(entry.value)
        }
        return hasher.finalize()
    }

    /// The value of `remote-codec/key-prefix`, not yet validated; `nil` when it is absent or empty.
    public var keyPrefix: [UInt8]? {
        let value = entries.first { $0.name.elementsEqual(Self.keyPrefixName.utf8) }?.value
        return value.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// Why a metadata header does not decode.
public enum TemporalMetadataError: Error, Equatable {
    case headerNotBase64
    case notJSON(FlatJSONObject.SyntaxError)
    case valueNotBase64(name: [UInt8])
}

extension TemporalMetadataError: CustomStringConvertible {
    /// One line for the client.
    public var description: String {
        switch self {
        case .headerNotBase64:
            "X-Temporal-Metadata header is not valid base64"
        case .notJSON(let error):
            "X-Temporal-Metadata header is not a JSON object of strings: \(error.reason) at byte \(error.offset)"
        case .valueNotBase64(let name):
            "X-Temporal-Metadata header: the value of '\(String(decoding: name, as: UTF8.self))' is not valid base64"
        }
    }
}
