/// A decimal number without sign.
package enum DecimalNumber {
    /// Why a text is not such a number.
    package enum ParseError: String, Error {
        case notDecimal = "not a decimal number without sign"
        case tooLarge = "does not fit 64 bits"
    }

    package static func parse(_ text: some Collection<UInt8>) throws(ParseError) -> UInt64 {
        guard !text.isEmpty, text.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw .notDecimal
        }
        guard let number = UInt64(String(decoding: text, as: UTF8.self)) else { throw .tooLarge }
        return number
    }
}
