/// Reads a JSON object (RFC 8259) whose values are strings or `null`, keeping every name as bytes and in order.
///
/// `JSONDecoder` can't serve here: it gathers names in a dictionary of `String`s, where two names that Unicode calls
/// equivalent become one, and their payloads would share a key.
public enum FlatJSONObject {
    /// A name with its value; `nil` for `null`.
    public struct Member: Equatable, Sendable {
        /// UTF-8, with escapes resolved.
        public let name: [UInt8]
        /// UTF-8, with escapes resolved.
        public let value: [UInt8]?
    }

    /// What is wrong, and where.
    public struct SyntaxError: Error, Equatable {
        /// What is wrong.
        public let reason: String
        /// Bytes from the start of the text.
        public let offset: Int
    }

    /// The members in the order of the text, duplicates included; none for JSON `null`.
    ///
    /// - Throws: ``SyntaxError`` for anything that is not such an object, text after it, or strings that are not UTF-8.
    public static func parse(_ text: [UInt8]) throws(SyntaxError) -> [Member] {
        var parser = Parser(text: text)
        let members = try parser.document()
        return members
    }

    private struct Parser {
        let text: [UInt8]
        var offset = 0

        mutating func document() throws(SyntaxError) -> [Member] {
            skipWhitespace()
            let members = takeNull() ? [] : try object()
            skipWhitespace()
            guard offset == text.count else { throw error("text after the object") }
            return members
        }

        mutating func object() throws(SyntaxError) -> [Member] {
            try expect("{")
            skipWhitespace()
            var members: [Member] = []
            if take("}") { return members }
            while true {
                skipWhitespace()
                let name = try string()
                skipWhitespace()
                try expect(":")
                skipWhitespace()
                members.append(Member(name: name, value: takeNull() ? nil : try string()))
                skipWhitespace()
                if take("}") { return members }
                try expect(",")
            }
        }

        mutating func string() throws(SyntaxError) -> [UInt8] {
            let start = offset
            try expect("\"")
            var bytes: [UInt8] = []
            while true {
                guard let byte = next() else { throw error("unfinished string") }
                switch byte {
                case UInt8(ascii: "\""):
                    guard String(validating: bytes, as: UTF8.self) != nil else {
                        throw SyntaxError(reason: "string is not valid UTF-8", offset: start)
                    }
                    return bytes
                case UInt8(ascii: "\\"):
                    try escape(into: &bytes)
                case 0..<0x20:
                    throw SyntaxError(reason: "control character in a string", offset: offset - 1)
                default:
                    bytes.append(byte)
                }
            }
        }

        mutating func escape(into bytes: inout [UInt8]) throws(SyntaxError) {
            switch next() {
            case UInt8(ascii: "\""): bytes.append(UInt8(ascii: "\""))
            case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "/"): bytes.append(UInt8(ascii: "/"))
            case UInt8(ascii: "b"): bytes.append(0x08)
            case UInt8(ascii: "f"): bytes.append(0x0C)
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "u"): bytes.append(contentsOf: Array(String(try scalar()).utf8))
            default: throw error("unknown escape")
            }
        }

        /// The scalar of one `\u` escape, or of two that are a surrogate pair; a lone surrogate stands for no text.
        mutating func scalar() throws(SyntaxError) -> Unicode.Scalar {
            let first = try fourHexDigits()
            if let scalar = Unicode.Scalar(first) { return scalar }
            guard (0xD800..<0xDC00).contains(first), take("\\"), take("u") else { throw error("lone surrogate") }
            let second = try fourHexDigits()
            guard (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            else { throw error("lone surrogate") }
            return scalar
        }

        mutating func fourHexDigits() throws(SyntaxError) -> UInt32 {
            var value: UInt32 = 0
            for _ in 0..<4 {
                guard let byte = next(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                    throw error("\\u without four hex digits")
                }
                value = value << 4 | UInt32(digit)
            }
            return value
        }

        mutating func takeNull() -> Bool {
            guard text[offset...].starts(with: "null".utf8) else { return false }
            offset += 4
            return true
        }

        mutating func next() -> UInt8? {
            guard offset < text.count else { return nil }
            defer { offset += 1 }
            return text[offset]
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard offset < text.count, text[offset] == UInt8(ascii: character) else { return false }
            offset += 1
            return true
        }

        mutating func expect(_ character: Unicode.Scalar) throws(SyntaxError) {
            guard take(character) else { throw error("expected '\(character)'") }
        }

        mutating func skipWhitespace() {
            while offset < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[offset]) { offset += 1 }
        }

        func error(_ reason: String) -> SyntaxError {
            SyntaxError(reason: reason, offset: offset)
        }
    }
}
