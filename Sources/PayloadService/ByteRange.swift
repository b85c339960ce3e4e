import Encoding

/// A `Range` header field with one range of bytes (RFC 9110 section 14.2).
enum ByteRange: Equatable {
    /// Send the whole payload: there is no field, it is not understood, or it has several ranges, which a server may ignore.
    case whole
    /// Send these bytes.
    case part(Range<UInt64>)
    /// The range contains no byte of the payload: answer 416.
    case unsatisfiable

    init(_ field: [UInt8]?, size: UInt64) {
        self = .whole
        let unit = Array("bytes=".utf8)
        guard let field, field.starts(with: unit) else { return }
        let ends = field.dropFirst(unit.count).split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard ends.count == 2 else { return }
        let first = try? DecimalNumber.parse(Array(ends[0]))
        let last = try? DecimalNumber.parse(Array(ends[1]))
        switch (first, last) {
        case (nil, let suffix?) where ends[0].isEmpty:
            self = suffix == 0 || size == 0 ? .unsatisfiable : .part(size - min(size, suffix)..<size)
        case (let first?, nil) where ends[1].isEmpty:
            self = first < size ? .part(first..<size) : .unsatisfiable
        case (let first?, let last?) where first <= last:
            self = first < size ? .part(first..<(min(last, size - 1) + 1)) : .unsatisfiable
        default: break
        }
    }
}
