/// Writes JSON byte for byte like Go's `encoding/json`, because existing clients and tests compare the bytes.
public enum JSONText {
    /// Returns a JSON string with its quotes. Escapes quotes, backslashes and control characters; also `<`, `>`, `&`, U+2028 and
    /// U+2029, as Go does to make JSON safe in HTML.
    public static func string(_ text: some Sequence<Unicode.Scalar>) -> String {
        var json = "\""
        for scalar in text {
            switch scalar {
            case "\"": json += "\\\""
            case "\\": json += "\\\\"
            case "\u{08}": json += "\\b"
            case "\u{0C}": json += "\\f"
            case "\n": json += "\\n"
            case "\r": json += "\\r"
            case "\t": json += "\\t"
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"..."\u{1F}":
                let hex = String(scalar.value, radix: 16)
                json += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: json.unicodeScalars.append(scalar)
            }
        }
        return json + "\""
    }

    /// Appends a JSON string of UTF-8 with its quotes, like ``string(_:)``.
    public static func append(_ text: [UInt8], to json: inout [UInt8]) {
        // Most texts need no escapes.
        guard text.allSatisfy(isPlain) else {
            json += string(String(decoding: text, as: UTF8.self).unicodeScalars).utf8
            return
        }
        json.append(UInt8(ascii: "\""))
        json += text
        json.append(UInt8(ascii: "\""))
    }

    /// Whether the byte is a character of its own that needs no escape.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"): false
        default: (0x20..<0x80).contains(byte)
        }
    }
}
