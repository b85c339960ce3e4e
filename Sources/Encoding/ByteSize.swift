/// Parses sizes as in nginx's configuration: bytes, or a number followed by `k`, `m` or `g` in either case.
package enum ByteSize {
    package static func parse(_ text: String) -> UInt64? {
        DecimalNumber.parse(text.lowercased(), units: ["": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30])
    }
}
