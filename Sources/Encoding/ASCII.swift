extension UInt8 {
    /// Whether the byte is an ASCII digit.
    @inlinable package var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    /// Whether the byte is an ASCII letter.
    @inlinable package var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }

    /// Whether the byte is an ASCII character other than a control character.
    @inlinable package var isPrintableASCII: Bool { (0x20..<0x7F).contains(self) }

    /// Whether the byte is an ASCII letter, a digit, or one of `others`.
    package func isLetterOrDigit(or others: StaticString) -> Bool {
        isLetter || isDigit || others.withUTF8Buffer { $0.contains(self) }
    }
}
