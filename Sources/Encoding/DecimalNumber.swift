/// A decimal number without sign.
package enum DecimalNumber {
    /// Why a text is not such a number.
    package enum ParseError: String, Error {
        case notDecimal = "not a decimal number without sign"
        case tooLarge = "does not fit 64 bits"
    }

    package static func parse(_ text: some Collection<UInt8>) throws(ParseError) -> UInt64 {
        guard !text.isEmpty, text.allSatisfy(\.isDigit) else { throw .notDecimal }
        guard let number = UInt64(String(decoding: text, as: UTF8.self)) else { throw .tooLarge }
        return number
    }

    /// Reads a number with a unit behind it.
    ///
    /// - Parameters:
    ///   - units: what the number is multiplied with, by unit; `""` where it may have none.
    ///   - limit: the largest number.
    /// - Returns: the product; `nil` when the text is none, or does not fit.
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
