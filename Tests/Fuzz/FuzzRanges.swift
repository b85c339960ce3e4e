import Encoding

@testable import PayloadService

/// Tests ranges and entity tags: a part is not empty and lies within the payload. The first eight bytes are the
/// payload's size.
func fuzzRanges(_ text: [UInt8]) {
    let size = text.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let field = text.dropFirst(8)
    for size in [size, 0, 1, 13, .max] {
        if case .part(let range) = ByteRange(field, size: size) {
            precondition(!range.isEmpty && range.upperBound <= size)
        }
    }
    let tag = Array("\"sha256:00\"".utf8)
    let strongly = EntityTag.list(field, names: tag, weakly: false)
    precondition(!strongly || EntityTag.list(field, names: tag, weakly: true))
    if let number = try? DecimalNumber.parse(field) {
        precondition((try? DecimalNumber.parse(Array("\(number)".utf8))) == number)
    }
}
