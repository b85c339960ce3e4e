/// Sizes as nginx writes them: a number of bytes, or with `k`, `m`, `g` behind it, upper case too.
package enum ByteSize {
    package static func parse(_ text: String) -> UInt64? {
        DecimalNumber.parse(text.lowercased(), units: ["": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30])
    }
}
