import Encoding

/// A page of a listing (ListObjectsV2).
struct ListPage {
    private(set) var objects: [S3Object] = []
    /// Whether more pages follow.
    private(set) var isTruncated = false
    private(set) var nextToken = ""

    init(_ body: [UInt8]) throws(XMLError) {
        var page = Self.empty
        var entry = Entry()
        var entries: [Entry] = []
        var isEncoded = false
        try readXML(body) { (path, text) throws(XMLError) in
            guard path[0] == "ListBucketResult" else { throw XMLError(description: "no listing: <\(path[0])>") }
            switch path.dropFirst() {
            case ["Contents", "Key"]: entry.key = text
            case ["Contents", "Size"]: entry.size = decimal(text)
            case ["Contents", "LastModified"]:
                entry.lastModified = unixSeconds(ofTimestamp: String(decoding: text, as: UTF8.self))
            case ["Contents"]:
                entries.append(entry)
                entry = Entry()
            case ["IsTruncated"]: page.isTruncated = text.elementsEqual("true".utf8)
            case ["NextContinuationToken"]: page.nextToken = String(decoding: text, as: UTF8.self)
            case ["EncodingType"]: isEncoded = text.elementsEqual("url".utf8)
            default: break
            }
        }
        for entry in entries { page.objects.append(try entry.object(isEncoded: isEncoded)) }
        self = page
    }

    private struct Entry {
        var key: [UInt8]?
        var size: UInt64?
        var lastModified: Int?

        func object(isEncoded: Bool) throws(XMLError) -> S3Object {
            guard let key, !key.isEmpty, let size, size <= S3Object.largest, let lastModified else {
                throw XMLError(description: "a listed object without a key, a size or a time")
            }
            return S3Object(
                key: isEncoded ? PercentEncoding.decodeQueryValue(key) : key,
                size: size,
                lastModified: lastModified
            )
        }
    }

    private static let empty = ListPage()
    private init() {}
}
