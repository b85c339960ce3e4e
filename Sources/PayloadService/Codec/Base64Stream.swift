import Encoding

/// Decodes base64 that arrives in pieces. Accepts the same text as protobuf's JSON mapping
/// (protobuf.dev/programming-guides/json): both alphabets of RFC 4648, with or without padding. Also accepts white space
/// anywhere, because MIME encoders break lines (RFC 2045 section 6.8), including those of Ruby, Python and Java. Rejects
/// text whose unused bits are not zero.
struct Base64Decoder {
    /// The text is not base64.
    struct Failure: Error {}

    /// Characters to decode at a time. Pieces can be as short as one character.
    private static let pieceSize = 16384

    /// Text not decoded yet, in the standard alphabet.
    private var rest: [UInt8] = []
    private var hasEnded = false

    /// Adds the next piece of the text.
    ///
    /// - Returns: the decoded bytes; none until enough text has arrived.
    mutating func decode(_ piece: some Sequence<UInt8>) throws(Failure) -> [UInt8] {
        for character in piece {
            switch character {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): continue
            case UInt8(ascii: "-"): rest.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): rest.append(UInt8(ascii: "/"))
            default: rest.append(character)
            }
        }
        return rest.count < Self.pieceSize ? [] : try takeWhole()
    }

    /// Decodes the end of the text, with or without padding.
    mutating func finish() throws(Failure) -> [UInt8] {
        let missing = (4 - rest.count % 4) % 4
        if missing > 0 {
            guard missing < 3, !rest.contains(UInt8(ascii: "=")) else { throw Failure() }
            rest += repeatElement(UInt8(ascii: "="), count: missing)
        }
        return try takeWhole()
    }

    private mutating func takeWhole() throws(Failure) -> [UInt8] {
        let whole = rest.prefix(rest.count / 4 * 4)
        guard !whole.isEmpty else { return [] }
        // Padding ends the text.
        guard !hasEnded, let bytes = StandardBase64.decode(whole) else { throw Failure() }
        hasEnded = whole.last == UInt8(ascii: "=")
        rest.removeFirst(whole.count)
        return bytes
    }

    /// Decodes a whole text; `nil` if it is not base64.
    static func decode(_ text: [UInt8]) -> [UInt8]? {
        var decoder = Base64Decoder()
        return try? decoder.decode(text) + decoder.finish()
    }
}

/// Encodes bytes that arrive in pieces as standard base64 (RFC 4648 section 4).
struct Base64Encoder {
    private var rest: [UInt8] = []

    /// The number of characters that encode `size` bytes.
    static func length(of size: UInt64) -> UInt64 {
        (size + 2) / 3 * 4
    }

    /// Adds a piece, and returns the text of all complete groups of three bytes.
    mutating func encode(_ piece: UnsafeRawBufferPointer) -> [UInt8] {
        rest += piece
        let whole = rest.count / 3 * 3
        defer { rest.removeFirst(whole) }
        return Array(StandardBase64.encode(rest.prefix(whole)).utf8)
    }

    /// Returns the text of the last one or two bytes, with padding.
    func finish() -> [UInt8] {
        Array(StandardBase64.encode(rest).utf8)
    }
}
