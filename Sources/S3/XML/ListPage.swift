import Encoding

/// A page of a listing (ListObjectsV2).
struct ListPage {
    private(set) var objects: [S3Object] = []
    /// Whether more pages follow.
    private(set) var isTruncated = false
    private(set) var nextToken = ""

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
            case ["IsTruncated"]: isTruncated = text.elementsEqual("true".utf8)
            case ["NextContinuationToken"]: nextToken = String(decoding: text, as: UTF8.self)
            case ["EncodingType"]: isEncoded = text.elementsEqual("url".utf8)
            default: break
            }
        }
        // Whether keys are encoded may be said behind them.
        objects = try entries.map { try $0.object(isEncoded: isEncoded) }
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
