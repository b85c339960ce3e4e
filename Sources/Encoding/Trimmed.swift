extension BidirectionalCollection<UInt8> {
    /// Returns the bytes without spaces, tabs and carriage returns at both ends.
    @inlinable package func trimmed() -> SubSequence {
        guard let first = firstIndex(where: { !$0.isBlank }), let last = lastIndex(where: { !$0.isBlank }) else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}

extension UInt8 {
    /// Whether the byte is a space, a tab or a carriage return.
    @inlinable package var isBlank: Bool {
        self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") || self == UInt8(ascii: "\r")
    }
}
