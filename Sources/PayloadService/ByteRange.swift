import Encoding

/// A `Range` header field with one range of bytes (RFC 9110 section 14.2).
enum ByteRange: Equatable {
    /// Send the whole payload: there is no field, it is not understood, or it has several ranges, which a server may ignore.
    case whole
    /// Send these bytes.
    case part(Range<UInt64>)
    /// The range contains no byte of the payload: answer 416.
    case unsatisfiable

    init(_ field: ServiceRequest.Bytes?, size: UInt64) {
        self = .whole
        let unit = "bytes=".utf8
        guard let field, field.starts(with: unit) else { return }
        let range = field.dropFirst(unit.count)
        guard let dash = range.firstIndex(of: UInt8(ascii: "-")) else { return }
        let (start, end) = (range[..<dash], range[(dash + 1)...])
        let first = try? DecimalNumber.parse(start)
        let last = try? DecimalNumber.parse(end)
        switch (first, last) {
        case (nil, let suffix?) where start.isEmpty:
            self = suffix == 0 || size == 0 ? .unsatisfiable : .part(size - min(size, suffix)..<size)
        case (let first?, nil) where end.isEmpty:
            self = first < size ? .part(first..<size) : .unsatisfiable
        case (let first?, let last?) where first <= last:
            self = first < size ? .part(first..<(min(last, size - 1) + 1)) : .unsatisfiable
        default: break
        }
    }
}
