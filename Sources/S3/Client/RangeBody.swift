/// The body of an answer to a GET of a range: which of its bytes are wanted.
struct RangeBody {
    struct Failure: Error, CustomStringConvertible {
        let description: String
        /// Whether the object is what differs from what was asked for, not the answer.
        var isOfObject = false
    }

    /// Whether bytes behind those that are wanted follow.
    let isLongerThanRange: Bool
    /// Bytes before the first that is wanted.
    private var skipped: UInt64
    private var rest: UInt64

    /// - Parameters:
    ///   - head: of a 206, or of a 200 from an engine that knows no ranges.
    ///   - wanted: what was asked for.
    init(_ head: AnswerHead, _ wanted: Range<UInt64>) throws(Failure) {
        let total: UInt64
        if head.status == 206 {
            guard let range = ContentRange(head["content-range"]), range.bytes.lowerBound == wanted.lowerBound,
                range.bytes.upperBound == min(wanted.upperBound, range.total)
            else { throw Failure(description: "206 without the Content-Range that was asked for") }
            if let length = head.number("content-length"), length != UInt64(range.bytes.count) {
                throw Failure(description: "206 with a Content-Length other than its Content-Range's")
            }
            total = range.total
            skipped = 0
            isLongerThanRange = false
        } else {
            guard let length = head.number("content-length") else {
                throw Failure(description: "200 without Content-Length")
            }
            total = length
            skipped = wanted.lowerBound
            isLongerThanRange = length > wanted.upperBound
        }
        guard total >= wanted.upperBound else {
            throw Failure(description: "the object has \(total) bytes, not \(wanted.upperBound)", isOfObject: true)
        }
        rest = UInt64(wanted.count)
    }

    /// What is wanted of the next piece of the body; `nil` for nothing of it.
    mutating func wanted(_ piece: UnsafeRawBufferPointer) throws(Failure) -> UnsafeRawBufferPointer? {
        let before = Int(min(skipped, UInt64(piece.count)))
        skipped -= UInt64(before)
        let behind = piece.count - before
        if behind == 0 { return nil }
        guard isLongerThanRange || UInt64(behind) <= rest else {
            throw Failure(description: "a body that is longer than its head says")
        }
        let count = Int(min(rest, UInt64(behind)))
        rest -= UInt64(count)
        return UnsafeRawBufferPointer(rebasing: piece[before..<(before + count)])
    }
}
