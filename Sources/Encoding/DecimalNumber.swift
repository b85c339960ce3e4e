/// Parses decimal numbers without sign.
package enum DecimalNumber {
    /// The reason why a text is not such a number, for error messages.
    package enum ParseError: String, Error {
        case notDecimal = "not a decimal number without sign"
        case tooLarge = "does not fit 64 bits"
    }

    package static func parse(_ text: some Collection<UInt8>) throws(ParseError) -> UInt64 {
        try parse(ArraySlice(text))
    }

    package static func parse(_ text: ArraySlice<UInt8>) throws(ParseError) -> UInt64 {
        guard !text.isEmpty, text.allSatisfy({ $0.isDigit }) else { throw .notDecimal }
        var number: UInt64 = 0
        for digit in text {
            let (tens, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, isStillTooLarge) = tens.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !isTooLarge, !isStillTooLarge else { throw .tooLarge }
            number = sum
        }
        return number
    }

    /// Parses a number followed by a unit.
    ///
    /// - Parameters:
    ///   - units: the factor of each unit; the key `""` allows a number without unit.
    ///   - limit: the largest number, before it is multiplied.
    /// - Returns: the product; `nil` if the text is invalid, or the product does not fit 64 bits.
    package static func parse(_ text: String, units: [String: UInt64], limit: UInt64 = .max) -> UInt64? {
        let digits = text.utf8.prefix(while: \.isDigit)
        guard let unit = units[String(text[digits.endIndex...])], let number = try? parse(digits), number <= limit
        else {
            return nil
        }
        let (product, isTooLarge) = number.multipliedReportingOverflow(by: unit)
        return isTooLarge ? nil : product
    }
}
