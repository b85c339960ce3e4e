import Glibc
import System

/// The content of an open file, from its start to the size that it had when it was opened.
package struct FileContent: PayloadContent {
    /// Bytes per read: enough to make the cost of calls negligible, and small enough for many threads and for the
    /// processor's cache, where the hash finds the bytes just copied.
    package static let pieceSize = 64 * 1024

    /// The length in bytes.
    package let size: UInt64
    package let descriptor: Descriptor
    package var name: String { descriptor.name }
    /// `nil` if the file was opened without reading its status.
    private let knownIdentity: FileStatus.Identity?

    package init(_ descriptor: Descriptor, size: UInt64) {
        self.size = size
        self.descriptor = descriptor
        knownIdentity = nil
    }

    package init(_ descriptor: Descriptor, _ status: FileStatus) {
        size = status.size
        self.descriptor = descriptor
        knownIdentity = status.identity
    }

    /// Passes `range` of the content to `take`, piece by piece.
    ///
    /// - Throws: ``StoreError`` if the file can't be read or ends early, or what `take` throws.
    package func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 16)
        defer { buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let wanted = Int(min(UInt64(buffer.count), range.upperBound - offset))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
            let count = try descriptor.read(into: piece, at: offset)
            guard count > 0 else {
                throw StoreError(.damaged, "read \(name): file ends at byte \(offset), it had \(size) bytes")
            }
            try take(UnsafeRawBufferPointer(rebasing: piece[..<count]))
            offset += UInt64(count)
        }
    }
}

extension FileContent {
    /// Opens a file of a store; `nil` if it does not exist.
    ///
    /// - Throws: ``StoreError`` with code `unreadable`, or `damaged` if it is not a regular file.
    package init?(_ path: String, below root: Descriptor) throws {
        // Without O_NONBLOCK, opening a fifo would block the thread. It has no effect on regular files (open(2)).
        guard let file = try reading({ try root.openIfThere(path, O_RDONLY | O_NONBLOCK) }) else { return nil }
        let status = try file.status()
        guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
        self.init(file, status)
    }

    /// The identity of the open file.
    package func identity() throws -> FileStatus.Identity { try knownIdentity ?? descriptor.status().identity }

    /// Whether another file has the same bytes. False if both are the same file, because a file equals itself even if it is
    /// damaged.
    package func hasSameBytes(as other: FileContent) throws -> Bool {
        guard size == other.size, try identity() != other.identity() else { return false }
        var isEqual = true
        var offset: UInt64 = 0
        try read(0..<size) { piece in
            var rest = piece
            try other.read(offset..<offset + UInt64(piece.count)) { otherPiece in
                let counterpart = UnsafeRawBufferPointer(rebasing: rest.prefix(otherPiece.count))
                isEqual = isEqual && counterpart.isEqual(to: otherPiece)
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(otherPiece.count))
            }
            offset += UInt64(piece.count)
        }
        return isEqual
    }
}

extension UnsafeRawBufferPointer {
    /// - Parameter other: a buffer of the same length.
    fileprivate func isEqual(to other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count, let bytes = baseAddress, let others = other.baseAddress else {
            return count == other.count
        }
        return memcmp(bytes, others, count) == 0
    }
}
