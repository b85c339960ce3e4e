import Encoding

/// The reference that replaces an uploaded payload in a workflow's history: the payload's metadata, size, digest and key.
///
/// The client library and the codec server share this implementation of the codec's rules (docs/wire-contract.md).
public struct PayloadReference: Equatable, Sendable {
    /// The name of the metadata entry that marks a payload as a reference; its value is the API's version.
    public static let versionName = "temporal.io/remote-codec"
    /// The API's version that new references have.
    public static let version = "v2"
    /// The default threshold: payloads are uploaded if their serialized size in bytes exceeds it.
    public static let defaultMinimumSize = 128_000
    /// The metadata of the payload that carries a reference.
    public static let carrierMetadata = TemporalMetadata([
        (Array("encoding".utf8), Array("json/plain".utf8)), (Array(versionName.utf8), Array(version.utf8)),
    ])

    /// The uploaded payload's metadata.
    public let metadata: TemporalMetadata
    /// The bytes of the uploaded payload's data.
    public let size: UInt64
    /// The digest of the uploaded payload's data.
    public let digest: Digest
    /// The key that the service answered: UTF-8, not empty.
    public let key: [UInt8]

    /// Makes the reference to an uploaded payload.
    public init(metadata: TemporalMetadata, size: UInt64, digest: Digest, key: [UInt8]) {
        self.metadata = metadata
        self.size = size
        self.digest = digest
        self.key = key
    }

    /// Whether a payload with this metadata is a reference.
    ///
    /// - Throws: ``PayloadReferenceError`` if it is a reference of another version.
    public static func isCarried(by metadata: TemporalMetadata) throws(PayloadReferenceError) -> Bool {
        guard let value = metadata[versionName] else { return false }
        if value.equals("v1") {
            throw PayloadReferenceError(
                "it was stored under version v1 of the API, which this service does not have (\(versionName))"
            )
        }
        guard value.elementsEqual(version.utf8) else {
            let unknown = String(decoding: value, as: UTF8.self)
            throw PayloadReferenceError("unknown version '\(unknown)' in \(versionName)")
        }
        return true
    }

    /// The data of the payload that carries the reference, byte for byte as Go's encoder writes it.
    public var json: String {
        let key = JSONText.string(utf8: key)
        return "{\"metadata\":\(metadata.json),\"size\":\(size),\"digest\":\"\(digest)\",\"key\":\(key)}"
    }

    /// Checks that the service's key names the payload that the reference describes.
    ///
    /// This detects a reference with another `encoding`. It does not detect bytes that were moved between names and
    /// values of the metadata, because the key's hash has no separators (``TemporalMetadata/hash``).
    ///
    /// - Throws: ``PayloadReferenceError`` that names what differs.
    public func check(against key: PayloadKey) throws(PayloadReferenceError) {
        guard key.digest == digest else {
            throw PayloadReferenceError("its digest \(digest) is not the one of its key \(key)")
        }
        guard key.metadataHash == metadata.hash else {
            throw PayloadReferenceError("its metadata is not the one of its key \(key)")
        }
    }

    /// Parses the data of a payload that carries a reference, as leniently as Go's `encoding/json`: the case of a
    /// member's name does not matter, metadata may be missing, and unknown members are ignored.
    ///
    /// - Throws: ``PayloadReferenceError`` that names the missing or invalid member.
    public init(parsing json: [UInt8]) throws(PayloadReferenceError) {
        var reader = JSONReader(json)
        do {
            self = try reader.payloadReference()
        } catch let error as PayloadReferenceError {
            throw error
        } catch TemporalMetadataError.valueNotBase64(let name) {
            throw .malformed("the value of '\(String(decoding: name, as: UTF8.self))' is not valid base64")
        } catch {
            throw .malformed("\(error)")
        }
    }
}

extension JSONReader {
    fileprivate mutating func payloadReference() throws -> PayloadReference {
        var metadata: TemporalMetadata?
        var size: UInt64?
        var digest: Digest?
        var key: [UInt8]?
        try skipWhitespace()
        try object { reader, name in
            switch String(decoding: name, as: UTF8.self).lowercased() {
            case "metadata": metadata = try reader.temporalMetadata(decodingValues: StandardBase64.decode)
            case "size": size = try reader.unsignedInteger()
            case "digest":
                let text = try reader.string()
                digest = try? Digest(parsing: text)
                guard digest != nil else {
                    throw PayloadReferenceError.malformed("invalid digest '\(String(decoding: text, as: UTF8.self))'")
                }
            case "key": key = try reader.string()
            default: try reader.skip()
            }
        }
        try end()
        guard let size else { throw PayloadReferenceError.malformed("it has no size") }
        guard let digest else { throw PayloadReferenceError.malformed("it has no digest") }
        guard let key, !key.isEmpty else { throw PayloadReferenceError.malformed("it has no key") }
        return PayloadReference(metadata: metadata ?? TemporalMetadata([]), size: size, digest: digest, key: key)
    }
}

/// A payload is marked as a reference, but is invalid or of an unsupported version.
public struct PayloadReferenceError: Error, Equatable, CustomStringConvertible {
    /// One line with the invalid value, which is not escaped.
    public let description: String

    fileprivate init(_ description: String) { self.description = description }

    /// The data of the payload is not a reference.
    fileprivate static func malformed(_ reason: String) -> Self {
        .init("invalid reference to a large payload: \(reason)")
    }
}
