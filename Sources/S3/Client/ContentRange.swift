import HTTP

/// The byte range of an answer (RFC 9110 section 14.4), if it states the object's total size.
struct ContentRange: Equatable {
    let bytes: Range<UInt64>
    let total: UInt64

    /// Parses `bytes FIRST-LAST/TOTAL`.
    init?(_ text: String?) {
        guard let text, text.hasPrefix("bytes ") else { return nil }
        let numbers = text.utf8.dropFirst("bytes ".utf8.count)
            .split(omittingEmptySubsequences: false) { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "/") }
        guard numbers.count == 3, let first = decimal(numbers[0]), let last = decimal(numbers[1]),
            let total = decimal(numbers[2]), first <= last, last < total
        else { return nil }
        bytes = first..<(last + 1)
        self.total = total
    }
}
