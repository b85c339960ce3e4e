/// A list of values separated by commas (RFC 9110 section 5.6.1).
enum ListField {
    /// The elements, without the white space that may be around them; empty ones count for nothing.
    static func elements(_ field: [UInt8]) -> [ArraySlice<UInt8>] {
        field.split(separator: UInt8(ascii: ",")).map { element in
            guard let last = element.lastIndex(where: { !isWhiteSpace($0) }) else { return [] }
            return element[...last].drop(while: isWhiteSpace)
        }
    }

    private static func isWhiteSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
}
