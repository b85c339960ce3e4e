import Glibc
import PayloadKey

/// The content of an open file, from its start to the size that it had when it was opened.
struct FileContent: PayloadContent {
    /// Bytes that are read at a time: enough to make the calls' cost vanish, small enough for many threads and for the
    /// processor's cache, from which a hash reads what was just copied.
    static let pieceSize = 64 * 1024

    /// Bytes.
    let size: UInt64
    /// What the file is called in an error.
    let name: String
    let descriptor: Descriptor

    /// Hands `range` of the content to `take`, piece by piece.
    ///
    /// - Throws: ``StoreError`` when the file can't be read or ends early, or what `take` throws.
    func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 16)
        defer { buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let wanted = Int(min(UInt64(buffer.count), range.upperBound - offset))
            let count = try countingSystemCall("read \(name)") {
                pread(descriptor.rawValue, buffer.baseAddress, wanted, off_t(offset))
            }
            guard count > 0 else {
                throw StoreError(.damaged, "read \(name): file ends at byte \(offset), it had \(size) bytes")
            }
            try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
        }
    }

    func handOver() -> HandOver { .file(name) }
}
