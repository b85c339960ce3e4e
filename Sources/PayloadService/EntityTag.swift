/// Entity tags (RFC 9110 section 8.8.3).
enum EntityTag {
    /// Whether an `If-Match` or `If-None-Match` field names a tag: in a list, or by `*`.
    ///
    /// - Parameter weakly: whether `W/` before a tag of the list is ignored, as it is in `If-None-Match` only (section
    ///   13.1).
    static func list(_ field: [UInt8], names etag: String, weakly: Bool) -> Bool {
        if field.elementsEqual("*".utf8) { return true }
        return field.split(separator: UInt8(ascii: ",")).contains { candidate in
            let tag = withoutWhiteSpace(candidate)
            let strong = weakly && tag.starts(with: "W/".utf8) ? tag.dropFirst(2) : tag
            return strong.elementsEqual(etag.utf8)
        }
    }

    /// Without the white space that a list may have around its elements (RFC 9110 section 5.6.1).
    private static func withoutWhiteSpace(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isWhiteSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        guard let last = text.lastIndex(where: { !isWhiteSpace($0) }) else { return [] }
        return text[...last].drop(while: isWhiteSpace)
    }
}
