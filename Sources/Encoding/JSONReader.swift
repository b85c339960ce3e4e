/// Reads a JSON text (RFC 8259) value by value, in bounded memory.
///
/// Names and strings stay bytes: `JSONDecoder` collects names in a dictionary of `String`s, where two names that Unicode
/// considers equivalent become one. The text may be larger than memory: it is loaded in pieces, and ``seek(_:)`` returns to
/// an earlier value.
public struct JSONReader {
    /// Returns any number of bytes from an offset on; none at the text's end.
    public typealias Load = (_ offset: Int) throws -> [UInt8]

    /// The maximum depth of arrays and objects in a skipped value.
    public static let maximumDepth = 64

    /// The maximum bytes of a name, and of a string that is read into memory.
    public var stringLimit = Int.max

    private let load: Load
    private var window: [UInt8]
    /// The offset of the window's first byte in the text.
    private var windowOffset = 0
    /// The index of the next byte in the window.
    private var position = 0

    /// Makes a reader of a text in memory.
    public init(_ text: [UInt8]) {
        window = text
        load = { _ in [] }
    }

    /// Makes a reader that loads the text in pieces.
    public init(_ load: @escaping Load) {
        window = []
        self.load = load
    }

    /// The offset of the next byte from the text's start.
    public var offset: Int { windowOffset + position }

    /// Continues reading at an earlier value of ``offset``.
    public mutating func seek(_ offset: Int) {
        if (windowOffset..<(windowOffset + window.count)).contains(offset) {
            position = offset - windowOffset
        } else {
            window = []
            windowOffset = offset
            position = 0
        }
    }

    // MARK: Values

    /// Reads an object. `member` receives each name and must read its value.
    ///
    /// - Throws: ``JSONSyntaxError``, or what loading or `member` throws.
    public mutating func object(_ member: (inout JSONReader, _ name: [UInt8]) throws -> Void) throws {
        try elements("{", "}") { reader in
            let name = try reader.string()
            try reader.skipWhitespace()
            try reader.expect(":")
            try reader.skipWhitespace()
            try member(&reader, name)
        }
    }

    /// Reads an array. `element` must read each value.
    ///
    /// - Throws: ``JSONSyntaxError``, or what loading or `element` throws.
    public mutating func array(_ element: (inout JSONReader) throws -> Void) throws {
        try elements("[", "]", element)
    }

    /// Reads a string into memory.
    ///
    /// - Returns: UTF-8, with escapes resolved.
    /// - Throws: ``JSONSyntaxError``, or what loading throws.
    public mutating func string() throws -> [UInt8] {
        let start = offset
        let limit = stringLimit
        var bytes: [UInt8] = []
        try string { piece in
            bytes += piece
            guard bytes.count <= limit else {
                throw JSONSyntaxError(reason: "string has over \(limit) bytes", offset: start)
            }
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw JSONSyntaxError(reason: "string is not valid UTF-8", offset: start)
        }
        return bytes
    }

    /// Reads a string of any length in pieces, with escapes resolved. Does not check that it is UTF-8.
    ///
    /// - Throws: ``JSONSyntaxError``, or what loading or `take` throws.
    public mutating func string(_ take: (ArraySlice<UInt8>) throws -> Void) throws {
        try expect("\"")
        while try peek() != nil {
            let start = position
            while position < window.count, Self.isPlain(window[position]) { position += 1 }
            if position > start { try take(window[start..<position]) }
            guard position < window.count else { continue }
            switch window[position] {
            case UInt8(ascii: "\""):
                position += 1
                return
            case UInt8(ascii: "\\"):
                position += 1
                try take(escape()[...])
            default:
                throw error("control character in a string")
            }
        }
        throw error("unfinished string")
    }

    /// Reads a number without sign and exponent. Its fraction, if any, is zero, as some encoders write it.
    ///
    /// - Throws: ``JSONSyntaxError``, also for a number that does not fit 64 bits; or what loading throws.
    public mutating func unsignedInteger() throws -> UInt64 {
        let start = offset
        let parts = try number().split(separator: UInt8(ascii: "."))
        guard let digits = parts.first, digits.first != UInt8(ascii: "-"),
            let number = UInt64(String(decoding: digits, as: UTF8.self)),
            parts.dropFirst().allSatisfy({ $0.allSatisfy { $0 == UInt8(ascii: "0") } })
        else {
            throw JSONSyntaxError(reason: "expected a number without sign that fits 64 bits", offset: start)
        }
        return number
    }

    /// Skips `null` and returns true, or returns false if the next value is another one.
    public mutating func null() throws -> Bool {
        guard try peek() == UInt8(ascii: "n") else { return false }
        try literal("null")
        return true
    }

    /// Skips a value of any type.
    ///
    /// - Throws: ``JSONSyntaxError``, also for a value nested deeper than ``maximumDepth``; or what loading throws.
    public mutating func skip() throws {
        try skip(depth: Self.maximumDepth)
    }

    private mutating func skip(depth: Int) throws {
        guard depth > 0 else { throw error("nested deeper than \(Self.maximumDepth)") }
        switch try peek() {
        case UInt8(ascii: "{"): try object { reader, _ in try reader.skip(depth: depth - 1) }
        case UInt8(ascii: "["): try array { try $0.skip(depth: depth - 1) }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        default: _ = try number()
        }
    }

    /// Skips white space before the next value.
    public mutating func skipWhitespace() throws {
        while let byte = try peek(), [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    /// Checks that only white space follows.
    public mutating func end() throws {
        try skipWhitespace()
        guard try peek() == nil else { throw error("text after the value") }
    }

    /// Makes an error at the current ``offset``.
    public func error(_ reason: String) -> JSONSyntaxError {
        JSONSyntaxError(reason: reason, offset: offset)
    }

    // MARK: Parts of values

    private mutating func elements(
        _ open: Unicode.Scalar,
        _ close: Unicode.Scalar,
        _ element: (inout JSONReader) throws -> Void
    ) throws {
        try expect(open)
        try skipWhitespace()
        if try take(close) { return }
        while true {
            try skipWhitespace()
            try element(&self)
            try skipWhitespace()
            if try take(close) { return }
            try expect(",")
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private mutating func escape() throws -> [UInt8] {
        switch try next() {
        case UInt8(ascii: "\""): [UInt8(ascii: "\"")]
        case UInt8(ascii: "\\"): [UInt8(ascii: "\\")]
        case UInt8(ascii: "/"): [UInt8(ascii: "/")]
        case UInt8(ascii: "b"): [0x08]
        case UInt8(ascii: "f"): [0x0C]
        case UInt8(ascii: "n"): [0x0A]
        case UInt8(ascii: "r"): [0x0D]
        case UInt8(ascii: "t"): [0x09]
        case UInt8(ascii: "u"): Array(String(try scalar()).utf8)
        default: throw error("unknown escape")
        }
    }

    /// Reads one `\u` escape, or two that form a surrogate pair. Rejects a lone surrogate, which encodes no character.
    private mutating func scalar() throws -> Unicode.Scalar {
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), try take("\\"), try take("u") else { throw error("lone surrogate") }
        let second = try fourHexDigits()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw error("lone surrogate") }
        return scalar
    }

    private mutating func fourHexDigits() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = try next()?.hexValue else { throw error("\\u without four hex digits") }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    /// Reads a number's text (RFC 8259 section 6).
    private mutating func number() throws -> [UInt8] {
        var text: [UInt8] = []
        if try take("-") { text.append(UInt8(ascii: "-")) }
        let whole = try digits()
        guard whole.count == 1 || whole.first != UInt8(ascii: "0") else { throw error("number with a leading zero") }
        text += whole
        if try take(".") { text += [UInt8(ascii: ".")] + (try digits()) }
        if try take("e") || take("E") {
            text.append(UInt8(ascii: "e"))
            if try !take("+"), try take("-") { text.append(UInt8(ascii: "-")) }
            text += try digits()
        }
        return text
    }

    private mutating func digits() throws -> [UInt8] {
        var digits: [UInt8] = []
        while let byte = try peek(), byte.isDigit {
            guard digits.count < 400 else { throw error("number with over 400 digits") }
            digits.append(byte)
            position += 1
        }
        guard !digits.isEmpty else { throw error("expected a value") }
        return digits
    }

    private mutating func literal(_ text: String) throws {
        for character in text.unicodeScalars {
            guard try take(character) else { throw error("expected '\(text)'") }
        }
    }

    // MARK: Bytes

    /// Returns the next byte, after loading more text if necessary; `nil` at the text's end.
    private mutating func peek() throws -> UInt8? {
        if position == window.count {
            let next = try load(offset)
            guard !next.isEmpty else { return nil }
            windowOffset += window.count
            window = next
            position = 0
        }
        return window[position]
    }

    private mutating func next() throws -> UInt8? {
        let byte = try peek()
        if byte != nil { position += 1 }
        return byte
    }

    private mutating func take(_ character: Unicode.Scalar) throws -> Bool {
        guard try peek() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws {
        guard try take(character) else { throw error("expected '\(character)'") }
    }
}

/// A text is not valid JSON, or not of the expected form.
public struct JSONSyntaxError: Error, Equatable {
    /// The fault, for messages.
    public let reason: String
    /// The fault's offset in bytes from the start of the text.
    public let offset: Int

    /// Makes an error with a reason and an offset.
    public init(reason: String, offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

extension JSONSyntaxError: CustomStringConvertible {
    /// The reason and the offset, in one line for the client.
    public var description: String { "\(reason) at byte \(offset)" }
}
