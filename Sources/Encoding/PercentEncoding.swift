/// Percent-encoding (RFC 3986 section 2.1). In queries, `+` means a space, as in HTML forms.
public enum PercentEncoding {
    /// Decodes a value of a query. Keeps a `%` that two hex digits do not follow (URL Standard, percent-decode).
    public static func decodeQueryValue(_ text: some Collection<UInt8>) -> [UInt8] {
        decode(text, isStrict: false, plus: UInt8(ascii: " ")) ?? []
    }

    /// Decodes text that an operator wrote, keeping `+`; `nil` if two hex digits do not follow a `%`.
    package static func decodeStrictly(_ text: some Collection<UInt8>) -> [UInt8]? {
        decode(text, isStrict: true, plus: UInt8(ascii: "+"))
    }

    private static func decode(_ text: some Collection<UInt8>, isStrict: Bool, plus: UInt8) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                var digits = rest.prefix(2)
                if let high = digits.popFirst()?.hexValue, let low = digits.popFirst()?.hexValue {
                    bytes.append(high << 4 | low)
                    rest = rest.dropFirst(2)
                } else if isStrict {
                    return nil
                } else {
                    bytes.append(byte)
                }
            case UInt8(ascii: "+"): bytes.append(plus)
            default: bytes.append(byte)
            }
        }
        return bytes
    }

    /// Encodes a path or a query value: all bytes except slashes and unreserved characters.
    public static func encodePath(_ path: some Collection<UInt8>) -> String {
        var bytes: [UInt8] = []
        append(path: path, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends what ``encodePath(_:)`` returns to a text.
    public static func append(path: some Collection<UInt8>, to text: inout [UInt8]) {
        // Most paths need no encoding.
        if path.allSatisfy(isUnreserved) { return text.append(contentsOf: path) }
        for byte in path {
            if isUnreserved(byte) {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "%"))
                text.append(upperHexDigit(byte >> 4))
                text.append(upperHexDigit(byte & 15))
            }
        }
    }

    private static func upperHexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
