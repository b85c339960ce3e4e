extension Collection<UInt8> {
    /// Whether the bytes are those of a literal. The bytes of a `String` take longer to read.
    @inlinable package func equals(_ literal: StaticString) -> Bool {
        literal.withUTF8Buffer { literal in
            guard count == literal.count else { return false }
            return withContiguousStorageIfAvailable { $0.elementsEqual(literal) } ?? elementsEqual(literal)
        }
    }
}

/// Matches bytes in the cases of a `switch`.
@inlinable package func ~= (literal: StaticString, bytes: some Collection<UInt8>) -> Bool { bytes.equals(literal) }

extension [UInt8] {
    /// Appends a literal's bytes. Those of a `String` take longer to read.
    @inlinable package mutating func append(_ literal: StaticString) {
        literal.withUTF8Buffer { append(contentsOf: $0) }
    }
}
