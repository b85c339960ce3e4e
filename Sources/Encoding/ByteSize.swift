/// Sizes as nginx writes them: a number of bytes, or with `k`, `m`, `g` behind it, upper case too.
package enum ByteSize {
    package static func parse(_ text: String) -> UInt64? {
        let shifts: [Character: UInt64] = ["k": 10, "K": 10, "m": 20, "M": 20, "g": 30, "G": 30]
        let shift = text.last.flatMap { shifts[$0] }
        let digits = shift == nil ? text[...] : text.dropLast()
        guard let number = try? DecimalNumber.parse(digits.utf8) else { return nil }
        let (size, overflow) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
        return overflow ? nil : size
    }
}
