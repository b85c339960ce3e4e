import Encoding

/// Decodes base64 that comes in pieces. Takes what protobuf's JSON mapping takes (protobuf.dev/programming-guides/json):
/// both alphabets of RFC 4648, with or without padding; and white space anywhere, as MIME's encoders break lines (RFC 2045
/// section 6.8), those of Ruby, Python and Java among them. But no bits that an encoder leaves zero.
struct Base64Decoder {
    /// The text is not base64.
    struct Failure: Error {}

    /// Characters that are decoded at a time: a text may come in as many pieces as it has characters.
    private static let pieceSize = 16384

    /// Text that is not decoded yet, in the standard alphabet.
    private var rest: [UInt8] = []
    private var hasEnded = false

    /// Takes the next piece of the text.
    ///
    /// - Returns: bytes that are complete, none until there are enough of them.
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

    /// The bytes of what is left at the end, where the padding may be left out.
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

    /// Decodes a text that is in memory; `nil` for what is no base64.
    static func decode(_ text: [UInt8]) -> [UInt8]? {
        var decoder = Base64Decoder()
        return try? decoder.decode(text) + decoder.finish()
    }
}

/// Encodes standard base64 (RFC 4648 section 4) of bytes that come in pieces.
struct Base64Encoder {
    private var rest: [UInt8] = []

    /// Characters for this many bytes.
    static func length(of size: UInt64) -> UInt64 {
        (size + 2) / 3 * 4
    }

    /// The text that is complete with this piece.
    mutating func encode(_ piece: UnsafeRawBufferPointer) -> [UInt8] {
        rest += piece
        let whole = rest.count / 3 * 3
        defer { rest.removeFirst(whole) }
        return Array(StandardBase64.encode(rest.prefix(whole)).utf8)
    }

    /// The text of what is left at the end.
    func finish() -> [UInt8] {
        Array(StandardBase64.encode(rest).utf8)
    }
}
