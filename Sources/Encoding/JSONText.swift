/// Writes JSON byte for byte like Go's `encoding/json`, because existing clients and tests compare the bytes.
public enum JSONText {
    /// Returns a JSON string with its quotes. Escapes quotes, backslashes and control characters; also `<`, `>`, `&`, U+2028 and
    /// U+2029, as Go does to make JSON safe in HTML.
    public static func string(_ text: some Sequence<Unicode.Scalar>) -> String {
        // Appending to bytes is several times as fast as to a string.
        var json: [UInt8] = []
        json.reserveCapacity(text.underestimatedCount + 2)
        json.append(UInt8(ascii: "\""))
        for scalar in text {
            switch scalar {
            case "\"": json += "\\\"".utf8
            case "\\": json += "\\\\".utf8
            case "\u{08}": json += "\\b".utf8
            case "\u{0C}": json += "\\f".utf8
            case "\n": json += "\\n".utf8
            case "\r": json += "\\r".utf8
            case "\t": json += "\\t".utf8
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"..."\u{1F}":
                let hex = String(scalar.value, radix: 16)
                json += ("\\u" + String(repeating: "0", count: 4 - hex.count) + hex).utf8
            case _ where scalar.isASCII: json.append(UInt8(truncatingIfNeeded: scalar.value))
            default: json += scalar.utf8
            }
        }
        json.append(UInt8(ascii: "\""))
        return String(decoding: json, as: UTF8.self)
    }

    /// Returns a JSON string of UTF-8 with its quotes, like ``string(_:)``.
    public static func string(utf8 text: [UInt8]) -> String {
        string(String(decoding: text, as: UTF8.self).unicodeScalars)
    }

    /// Appends a JSON string of UTF-8 with its quotes, like ``string(_:)``.
    public static func append(_ text: [UInt8], to json: inout [UInt8]) {
        // Most texts need no escapes.
        guard text.allSatisfy(isPlain) else {
            json += string(utf8: text).utf8
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
