import HTTP

/// Selects the requested bytes from the body of an answer to a GET of a range.
struct RangeBody {
    /// Whether the body continues after the requested range.
    let isLongerThanRange: Bool
    /// The number of bytes still to skip before the range.
    private var skipped: UInt64
    private var rest: UInt64
    private let failure: (S3Error.Code, String) -> S3Error

    /// - Parameters:
    ///   - head: of a 206, or of a 200 from an engine that does not support ranges.
    ///   - wanted: the requested range.
    ///   - failure: makes the error for an answer that does not match the range.
    init(_ head: AnswerHead, _ wanted: Range<UInt64>, _ failure: @escaping (S3Error.Code, String) -> S3Error) throws {
        self.failure = failure
        let total: UInt64
        if head.status == 206 {
            guard let range = ContentRange(head["content-range"]), range.bytes.lowerBound == wanted.lowerBound,
                range.bytes.upperBound == min(wanted.upperBound, range.total)
            else { throw failure(.malformedAnswer, "206 without the requested Content-Range") }
            if let length = head.number("content-length"), length != UInt64(range.bytes.count) {
                throw failure(.malformedAnswer, "206 whose Content-Length differs from its Content-Range")
            }
            total = range.total
            skipped = 0
            isLongerThanRange = false
        } else {
            guard let length = head.number("content-length") else {
                throw failure(.malformedAnswer, "200 without Content-Length")
            }
            total = length
            skipped = wanted.lowerBound
            isLongerThanRange = length > wanted.upperBound
        }
        guard total >= wanted.upperBound else {
            throw failure(.refused, "the object has \(total) bytes, expected at least \(wanted.upperBound)")
        }
        rest = UInt64(wanted.count)
    }

    /// The requested bytes in the next piece of the body; `nil` if there are none.
    mutating func wanted(_ piece: UnsafeRawBufferPointer) throws -> UnsafeRawBufferPointer? {
        let before = Int(min(skipped, UInt64(piece.count)))
        skipped -= UInt64(before)
        let behind = piece.count - before
        if behind == 0 { return nil }
        guard isLongerThanRange || UInt64(behind) <= rest else {
            throw failure(.malformedAnswer, "the body is longer than its headers state")
        }
        let count = Int(min(rest, UInt64(behind)))
        rest -= UInt64(count)
        return UnsafeRawBufferPointer(rebasing: piece[before..<(before + count)])
    }
}
