import Encoding
import HTTP

/// A page of a listing (ListObjectsV2).
struct ListPage {
    private(set) var objects: [S3Object] = []
    /// Whether more pages follow.
    private(set) var isTruncated = false
    private var nextToken = ""

    init(_ body: [UInt8]) throws {
        var entry = Entry()
        var entries: [Entry] = []
        var isEncoded = false
        try readXML(body, root: "ListBucketResult") { path, text in
            switch path {
            case ["Contents", "Key"]: entry.key = text
            case ["Contents", "Size"]: entry.size = decimal(text)
            case ["Contents", "LastModified"]:
                entry.lastModified = unixSeconds(ofTimestamp: String(decoding: text, as: UTF8.self))
            case ["Contents"]:
                entries.append(entry)
                entry = Entry()
            case ["IsTruncated"]: isTruncated = text.equals("true")
            case ["NextContinuationToken"]: nextToken = String(decoding: text, as: UTF8.self)
            case ["EncodingType"]: isEncoded = text.equals("url")
            default: break
            }
        }
        // The element that states whether keys are encoded may follow them.
        objects = try entries.map { try $0.object(isEncoded: isEncoded) }
    }

    /// The query parameter that requests the next page; `nil` if the page does not determine it.
    var next: (name: String, value: String)? {
        // The tokens of SeaweedFS and Ceph are keys. U+FFFD replaces the characters that XML can't represent, so such a
        // token would skip keys.
        if !nextToken.isEmpty, !nextToken.unicodeScalars.contains("\u{FFFD}") {
            return ("continuation-token", nextToken)
        }
        return objects.last.flatMap { String(validating: $0.key, as: UTF8.self) }.map { ("start-after", $0) }
    }

    private struct Entry {
        var key: [UInt8] = []
        var size: UInt64?
        var lastModified: Int?

        func object(isEncoded: Bool) throws -> S3Object {
            guard !key.isEmpty, let size, size <= S3Object.largest, let lastModified else {
                throw XMLError(description: "a listed object without a key, a size or a time")
            }
            let key = isEncoded ? PercentEncoding.decodeQueryValue(key) : key
            return S3Object(key: key, size: size, lastModified: lastModified)
        }
    }
}
