#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Standard base64 with padding (RFC 4648 section 4).
public enum StandardBase64 {
    /// Encodes bytes on one line, with padding.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString()
    }

    /// Appends what ``encode(_:)`` returns to a text.
    public static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let first = group[start]
            let second = group.count > 1 ? group[start + 1] : 0
            let third = group.count > 2 ? group[start + 2] : 0
            text.append(character(first >> 2))
            text.append(character(first << 4 & 63 | second >> 4))
            text.append(group.count > 1 ? character(second << 2 & 63 | third >> 6) : UInt8(ascii: "="))
            text.append(group.count > 2 ? character(third & 63) : UInt8(ascii: "="))
        }
    }

    /// The character of six bits.
    private static func character(_ bits: UInt8) -> UInt8 {
        switch bits {
        case 0..<26: UInt8(ascii: "A") + bits
        case 26..<52: UInt8(ascii: "a") + bits - 26
        case 52..<62: UInt8(ascii: "0") + bits - 52
        case 62: UInt8(ascii: "+")
        default: UInt8(ascii: "/")
        }
    }

    /// Decodes a text; `nil` if no encoder would write it.
    ///
    /// `Data` accepts too much or too little padding, so the text is compared with the encoding of the decoded bytes.
    public static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        let text = Data(text)
        guard let data = Data(base64Encoded: text), data.base64EncodedData() == text else { return nil }
        return Array(data)
    }
}
