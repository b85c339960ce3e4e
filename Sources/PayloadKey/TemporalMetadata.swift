import Encoding

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
    public init(header: [UInt8]) throws {
        guard let json = StandardBase64.decode(header) else { throw TemporalMetadataError.headerNotBase64 }
        var reader = JSONReader(json)
        do {
            try reader.skipWhitespace()
            self = try reader.temporalMetadata(decodingValues: StandardBase64.decode)
            try reader.end()
        } catch let error as JSONSyntaxError {
            throw TemporalMetadataError.notJSON(error)
        }
    }

    /// The JSON object that maps each name to the base64 of its value, as Go's encoder writes it: `null` when there is
    /// no metadata.
    public var json: String {
        guard !entries.isEmpty else { return "null" }
        let members = entries.map { entry in
            let name = JSONText.string(String(decoding: entry.name, as: UTF8.self).unicodeScalars)
            return "\(name):\"\(StandardBase64.encode(entry.value))\""
        }
        return "{\(members.joined(separator: ","))}"
    }

    /// The value of an `X-Temporal-Metadata` header.
    public var header: String { StandardBase64.encode(Array(json.utf8)) }

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
        self[Self.keyPrefixName].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The value of a name; `nil` when there is none.
    public subscript(name: String) -> [UInt8]? {
        entries.first { $0.name.elementsEqual(name.utf8) }?.value
    }
}

/// Why a metadata header does not decode.
public enum TemporalMetadataError: Error, Equatable, CustomStringConvertible {
    case headerNotBase64
    case notJSON(JSONSyntaxError)
    case valueNotBase64(name: [UInt8])

    /// One line for the client.
    public var description: String {
        switch self {
        case .headerNotBase64:
            "X-Temporal-Metadata header is not valid base64"
        case .notJSON(let error):
            "X-Temporal-Metadata header is not a JSON object of strings: \(error)"
        case .valueNotBase64(let name):
            "X-Temporal-Metadata header: the value of '\(String(decoding: name, as: UTF8.self))' is not valid base64"
        }
    }
}

extension JSONReader {
    /// Reads an object that maps each name to the base64 of its value. `null` is no metadata, and a `null` value an empty
    /// one.
    ///
    /// - Parameters:
    ///   - decode: decodes base64; `nil` for what is none.
    ///   - take: called with each entry, before it is kept; what it throws ends the reading.
    /// - Throws: ``TemporalMetadataError/valueNotBase64(name:)``, ``JSONSyntaxError``, or what loading or `take` throws.
    public mutating func temporalMetadata(
        decodingValues decode: ([UInt8]) -> [UInt8]?,
        _ take: (_ name: [UInt8], _ value: [UInt8]) throws -> Void = { _, _ in }
    ) throws -> TemporalMetadata {
        var entries: [(name: [UInt8], value: [UInt8])] = []
        if try null() { return TemporalMetadata(entries) }
        try object { reader, name in
            let text = try reader.null() ? [] : reader.string()
            guard let value = decode(text) else { throw TemporalMetadataError.valueNotBase64(name: name) }
            try take(name, value)
            entries.append((name, value))
        }
        return TemporalMetadata(entries)
    }
}
