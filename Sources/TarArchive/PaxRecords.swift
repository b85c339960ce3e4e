import Encoding

/// Attributes that do not fit an entry's header (pax(1), "pax Extended Header"): lines `<length> <name>=<value>`.
struct PaxRecords: Equatable {
    var path: [UInt8]?
    var linkPath: [UInt8]?
    /// Bytes of the entry's content.
    var size: UInt64?
    /// Whether the entry's content is GNU tar's map of a sparse file and its pieces, not the file itself.
    private(set) var isSparse = false

    init() {}

    /// Whether the records leave the next entry unchanged.
    var isEmpty: Bool { self == PaxRecords() }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        if let path { bytes += Self.record("path", path) }
        if let linkPath { bytes += Self.record("linkpath", linkPath) }
        if let size { bytes += Self.record("size", Array("\(size)".utf8)) }
        return bytes
    }

    /// Reads all records and ignores other attributes.
    ///
    /// - Throws: ``TarError`` `extendedHeader` when a record is malformed.
    init(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0 != UInt8(ascii: " ") }
            guard digits.count < 10, let length = try? DecimalNumber.parse(digits), digits.count < length,
                length <= rest.count,
                case let record = rest.prefix(Int(length)), record.last == UInt8(ascii: "\n")
            else { throw TarError.extendedHeader }
            let text = record.dropFirst(digits.count + 1).dropLast()
            guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else { throw TarError.extendedHeader }
            try set(String(decoding: text[..<equals], as: UTF8.self), Array(text[(equals + 1)...]))
            rest = rest.dropFirst(Int(length))
        }
    }

    private mutating func set(_ name: String, _ value: [UInt8]) throws {
        switch name {
        case "path": path = value
        case "linkpath": linkPath = value
        case "size":
            guard let number = try? DecimalNumber.parse(value), number <= Int64.max else {
                throw TarError.extendedHeader
            }
            size = number
        default:
            if name.utf8.starts(with: "GNU.sparse.".utf8) { isSparse = true }
        }
    }

    /// Writes one record. Its length includes the length's own digits.
    private static func record(_ name: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(name)=".utf8) + value + [UInt8(ascii: "\n")]
        var length = rest.count
        while "\(length)".utf8.count + rest.count != length { length = "\(length)".utf8.count + rest.count }
        return Array("\(length)".utf8) + rest
    }
}
