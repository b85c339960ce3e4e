import Encoding

/// The metadata of a Temporal payload: names and values, both byte strings.
///
/// Names that differ in any byte are different, even if Unicode considers them equivalent. So this does not use a
/// `Dictionary` of `String`s.
public struct TemporalMetadata: Equatable, Sendable {
    /// The name of the entry whose value becomes the key's prefix.
    public static let keyPrefixName = "remote-codec/key-prefix"

    /// A name and its value.
    public struct Entry: Equatable, Sendable {
        /// The name's UTF-8 bytes.
        public let name: [UInt8]
        /// The value's bytes, of any kind.
        public let value: [UInt8]
    }

    /// The entries, sorted by their names' bytes; each name occurs once.
    public let entries: [Entry]

    /// Makes metadata from entries in any order. If a name occurs twice, the last entry counts.
    public init(_ entries: some Sequence<(name: [UInt8], value: [UInt8])>) {
        let byName = Dictionary(entries.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        self.entries = byName.map(Entry.init(name:value:))
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// Decodes an `X-Temporal-Metadata` header: standard base64 (RFC 4648 section 4) of a JSON object that maps each name to the
    /// base64 of its value. JSON `null` means no metadata, and a `null` value is an empty one.
    ///
    /// - Throws: ``TemporalMetadataError``, with a case for each layer of the encoding.
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

    /// The JSON object that maps each name to the base64 of its value, as Go's encoder writes it; `null` if there are no
    /// entries.
    public var json: String {
        guard !entries.isEmpty else { return "null" }
        let members = entries.map { entry in
            let name = JSONText.string(utf8: entry.name)
            return "\(name):\"\(StandardBase64.encode(entry.value))\""
        }
        return "{\(members.joined(separator: ","))}"
    }

    /// The metadata as the value of an `X-Temporal-Metadata` header.
    public var header: String { StandardBase64.encode(Array(json.utf8)) }

    /// The hash at the end of a payload's key: SHA-256 of name, value, name, value, … in the order of ``entries``, without
    /// separators.
    public var hash: Digest {
        var hasher = DigestHasher()
        for entry in entries {
            hasher.update(entry.name)
            hasher.update(entry.value)
        }
        return hasher.finalize()
    }

    /// The value of `remote-codec/key-prefix`, not validated; `nil` if it is absent or empty.
    public var keyPrefix: [UInt8]? {
        self[Self.keyPrefixName].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The value of a name; `nil` if there is no such entry.
    public subscript(name: String) -> [UInt8]? {
        entries.first { $0.name.elementsEqual(name.utf8) }?.value
    }
}

/// A metadata header can't be decoded.
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
    /// Reads an object that maps each name to the base64 of its value. `null` means no metadata, and a `null` value is an empty
    /// one.
    ///
    /// - Parameters:
    ///   - decode: decodes base64; returns `nil` if the text is not base64.
    ///   - take: called with each entry before it is kept; an error it throws ends the reading.
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
