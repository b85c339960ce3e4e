/// The characters of XML 1.0 (section 2.2): no control characters except tab, line feed and carriage return, and
/// neither U+FFFE nor U+FFFF.
enum XMLCharacters {
    static func has(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x09, 0x0A, 0x0D, 0x20...0xD7FF, 0xE000...0xFFFD, 0x10000...0x10FFFF: true
        default: false
        }
    }

    /// A document in which U+FFFD replaces the characters that XML can't represent, whether they are bytes or
    /// references (`&#1;`). Object keys may contain them, and engines repeat them where `encoding-type=url` does not
    /// apply: Ceph 16.2 in a listing's token.
    static func replaced(in document: [UInt8]) -> [UInt8] {
        // The document may be UTF-16, which engines do not write.
        guard !document.contains(0) else { return document }
        var replaced: [UInt8] = []
        replaced.reserveCapacity(document.count)
        var rest = document[...]
        while let byte = rest.first {
            let length = lengthOfForbidden(rest)
            if length == 0 {
                replaced.append(byte)
                rest.removeFirst()
            } else {
                replaced += [0xEF, 0xBF, 0xBD]
                rest.removeFirst(length)
            }
        }
        return replaced
    }

    /// The number of leading bytes that form a forbidden character or a reference to one; 0 if there is none.
    private static func lengthOfForbidden(_ text: ArraySlice<UInt8>) -> Int {
        switch text[text.startIndex] {
        case 0x09, 0x0A, 0x0D: 0
        case ..<0x20: 1
        case 0xEF where text.starts(with: [0xEF, 0xBF, 0xBE]) || text.starts(with: [0xEF, 0xBF, 0xBF]): 3
        case UInt8(ascii: "&") where text.starts(with: "&#".utf8): lengthOfForbiddenReference(text)
        default: 0
        }
    }

    private static func lengthOfForbiddenReference(_ text: ArraySlice<UInt8>) -> Int {
        guard let end = text.prefix(12).firstIndex(of: UInt8(ascii: ";")) else { return 0 }
        let number = text[..<end].dropFirst(2)
        let isHex = number.first == UInt8(ascii: "x")
        let digits = String(decoding: isHex ? number.dropFirst() : number, as: UTF8.self)
        guard let scalar = UInt32(digits, radix: isHex ? 16 : 10), !has(scalar) else { return 0 }
        return end + 1 - text.startIndex
    }
}
