import PayloadKey

extension String {
    /// Makes a path with a single allocation.
    ///
    /// - Parameters:
    ///   - longest: the most bytes that `write` appends.
    ///   - write: appends the path's UTF-8 bytes.
    init(longest: Int, _ write: (inout OutputSpan<UInt8>) -> Void) {
        self.init(unsafeUninitializedCapacity: longest) { memory in
            var path = OutputSpan(buffer: memory, initializedCount: 0)
            write(&path)
            return path.finalize(for: memory)
        }
    }
}

extension OutputSpan<UInt8> {
    mutating func append(_ text: String) {
        let bytes = text.utf8Span.span
        for index in bytes.indices { append(bytes[index]) }
    }

    mutating func append(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { append(byte) }
    }

    mutating func append(hex digest: Digest) {
        digest.withHexDigits { append($0) }
    }
}
