extension UInt8 {
    /// Whether it is a decimal digit.
    package var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    /// Whether it is a letter of ASCII.
    package var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }

    /// Whether it is a letter of ASCII, a digit, or one of a few others.
    package func isLetterOrDigit(or others: StaticString) -> Bool {
        isLetter || isDigit || others.withUTF8Buffer { $0.contains(self) }
    }
}
