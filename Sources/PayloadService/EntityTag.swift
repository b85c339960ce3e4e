import Encoding
import PayloadKey

/// Entity tags (RFC 9110 section 8.8.3).
enum EntityTag {
    /// The tag of a payload: its digest in quotes.
    static func of(_ digest: Digest) -> [UInt8] {
        var tag: [UInt8] = []
        tag.reserveCapacity(80)
        tag.append(UInt8(ascii: "\""))
        digest.append(to: &tag)
        tag.append(UInt8(ascii: "\""))
        return tag
    }

    /// Whether an `If-Match` or `If-None-Match` field names a tag, in a list or by `*`.
    ///
    /// - Parameter weakly: whether to ignore `W/` before a tag in the list; only `If-None-Match` does (section 13.1).
    static func list(_ field: ServiceRequest.Bytes, names etag: [UInt8], weakly: Bool) -> Bool {
        if field.equals("*") { return true }
        return field.parts(between: UInt8(ascii: ",")).contains { element in
            let tag = element.trimmed()
            let strong = weakly && tag.starts(with: "W/".utf8) ? tag.dropFirst(2) : tag
            return strong.elementsEqual(etag)
        }
    }
}
