extension ArraySlice<UInt8> {
    /// The parts of a text between separators, empty ones included, without an array of them.
    func parts(between separator: UInt8) -> Parts { Parts(rest: self, separator: separator) }

    /// A sequence of the parts of a text.
    struct Parts: Sequence, IteratorProtocol {
        /// The text that follows the parts so far; `nil` after the last one.
        fileprivate var rest: ArraySlice<UInt8>?
        fileprivate let separator: UInt8

        mutating func next() -> ArraySlice<UInt8>? {
            guard let rest else { return nil }
            let part = rest.prefix { $0 != separator }
            self.rest = part.endIndex < rest.endIndex ? rest[(part.endIndex + 1)...] : nil
            return part
        }
    }
}
