/// Encodes each byte as two lower-case hex digits.
package func hexDigits(_ bytes: some Sequence<UInt8>) -> String {
    let digits = bytes.flatMap { [($0 >> 4).lowerCaseHexDigit, ($0 & 15).lowerCaseHexDigit] }
    return String(decoding: digits, as: UTF8.self)
}

extension UInt8 {
    /// The lower-case hex digit of a number below 16.
    @inlinable package var lowerCaseHexDigit: UInt8 {
        self < 10 ? UInt8(ascii: "0") + self : UInt8(ascii: "a") + self - 10
    }

    /// The value of a lower-case hex digit; `nil` for other bytes.
    @inlinable package var lowerCaseHexValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// The value of a hex digit in either case; `nil` for other bytes.
    var hexValue: UInt8? {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: lowerCaseHexValue
        }
    }
}
