/// A header block in POSIX format (pax(1), "ustar Interchange Format").
struct TarHeader {
    static let size = 512

    /// The largest number that fits a field: eleven octal digits.
    static let largestNumber: UInt64 = 0o77_777_777_777

    /// The type bytes of entries.
    enum Kind {
        static let file = UInt8(ascii: "0")
        static let hardLink = UInt8(ascii: "1")
        static let folder = UInt8(ascii: "5")
        /// Attributes of the next entry (pax(1), "pax Extended Header").
        static let extended = UInt8(ascii: "x")
        static let global = UInt8(ascii: "g")
        /// GNU tar: the content is the next entry's name or link target.
        static let longName = UInt8(ascii: "L")
        static let longLink = UInt8(ascii: "K")
        static let sparse = UInt8(ascii: "S")
    }

    private enum Field {
        static let name = 0..<100
        static let mode = 100..<108
        static let user = 108..<116
        static let group = 116..<124
        static let size = 124..<136
        static let modified = 136..<148
        static let checksum = 148..<156
        static let kind = 156
        static let link = 157..<257
        static let magic = 257..<265
        static let prefix = 345..<500
    }

    private static let posix = Array("ustar\u{0}00".utf8)
    private static let gnu = Array("ustar  \u{0}".utf8)

    var kind: UInt8
    var name: [UInt8]
    var link: [UInt8] = []
    /// Bytes of content after the header.
    var contentSize: UInt64 = 0
    /// Seconds since 1970.
    var modified: UInt64 = 0

    init(_ kind: UInt8, _ name: [UInt8]) {
        self.kind = kind
        self.name = name
    }
}

extension TarHeader {
    /// Splits a name into the two header fields; `nil` when it does not fit, or is not ASCII: POSIX does not define the
    /// encoding of other names.
    static func fields(ofName name: [UInt8]) -> (prefix: ArraySlice<UInt8>, name: ArraySlice<UInt8>)? {
        guard name.allSatisfy({ $0 < 0x80 }) else { return nil }
        if name.count <= Field.name.count { return ([], name[...]) }
        let slashes = name.indices.filter { name[$0] == UInt8(ascii: "/") }
        guard
            let slash = slashes.first(where: {
                $0 > 0 && $0 <= Field.prefix.count && (1...Field.name.count).contains(name.count - $0 - 1)
            })
        else { return nil }
        return (name[..<slash], name[(slash + 1)...])
    }

    static func fits(link: [UInt8]) -> Bool {
        link.count <= Field.link.count && link.allSatisfy { $0 < 0x80 }
    }

    /// The header as bytes. Values that do not fit are truncated: the extended header before it has them in full.
    var block: [UInt8] {
        var block = [UInt8](repeating: 0, count: Self.size)
        func put(_ bytes: some Collection<UInt8>, _ field: Range<Int>) {
            for (offset, byte) in zip(field, bytes) { block[offset] = byte }
        }
        func put(number: UInt64, _ field: Range<Int>) {
            let digits = String(min(number, Self.largestNumber), radix: 8)
            let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: max(0, field.count - 1 - digits.utf8.count))
            put(zeros + digits.utf8, field)
        }
        let (prefix, rest) = Self.fields(ofName: name) ?? ([], name.prefix(Field.name.count))
        put(rest, Field.name)
        put(prefix, Field.prefix)
        put(number: 0o440, Field.mode)
        put(number: 0, Field.user)
        put(number: 0, Field.group)
        put(number: contentSize, Field.size)
        put(number: modified, Field.modified)
        block[Field.kind] = kind
        put(link.prefix(Field.link.count), Field.link)
        put(Self.posix, Field.magic)
        put(number: Self.checksum(of: block), Field.checksum.dropLast())
        block[Field.checksum.upperBound - 1] = UInt8(ascii: " ")
        return block
    }

    /// Reads a header block.
    ///
    /// - Throws: ``TarError`` when the block is damaged, or in an unknown format.
    init(_ block: [UInt8]) throws {
        guard try Self.number(block[Field.checksum], "checksum") == Self.checksum(of: block) else {
            throw TarError.checksum
        }
        kind = block[Field.kind] == 0 ? Kind.file : block[Field.kind]
        name = Self.text(block[Field.name])
        link = Self.text(block[Field.link])
        contentSize = try Self.number(block[Field.size], "size")
        modified = try Self.number(block[Field.modified], "time")
        switch block[Field.magic] {
        case Self.posix[...]:
            let prefix = Self.text(block[Field.prefix])
            if !prefix.isEmpty { name = prefix + [UInt8(ascii: "/")] + name }
        case Self.gnu[...]:
            // GNU tar uses the bytes of POSIX's prefix for other fields.
            break
        default:
            throw TarError.unknownFormat
        }
    }

    /// The sum of all bytes, with the checksum field counted as spaces.
    private static func checksum(of block: [UInt8]) -> UInt64 {
        block.indices.reduce(0) { sum, index in
            sum + UInt64(Field.checksum.contains(index) ? UInt8(ascii: " ") : block[index])
        }
    }

    private static func text(_ field: ArraySlice<UInt8>) -> [UInt8] {
        Array(field.prefix { $0 != 0 })
    }

    /// Parses octal digits between spaces and NULs, or GNU's binary form for larger numbers.
    private static func number(_ field: ArraySlice<UInt8>, _ name: String) throws -> UInt64 {
        if field.first == 0x80 {
            guard field.dropFirst().dropLast(8).allSatisfy({ $0 == 0 }) else { throw TarError.number(name) }
            let number = field.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard number <= UInt64(Int64.max) else { throw TarError.number(name) }
            return number
        }
        let isPadding = { (byte: UInt8) in byte == 0 || byte == UInt8(ascii: " ") }
        let digits = field.drop(while: { $0 == UInt8(ascii: " ") }).prefix { !isPadding($0) }
        guard field[digits.endIndex...].allSatisfy(isPadding),
            let number = digits.isEmpty ? 0 : UInt64(String(decoding: digits, as: UTF8.self), radix: 8),
            digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-")
        else { throw TarError.number(name) }
        return number
    }
}
