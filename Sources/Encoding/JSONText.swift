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
}
