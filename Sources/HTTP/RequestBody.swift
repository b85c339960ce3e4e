import Glibc
import System
import SystemPackage

/// The body of a request.
public enum RequestBody: Sendable {
    /// Bytes in memory.
    case bytes([UInt8])
    /// The first `size` bytes of an open file. Reading neither uses nor moves the file's position (pread(2)), and does
    /// not close the file.
    case file(Int32, size: UInt64)

    package var size: UInt64 {
        switch self {
        case .bytes(let bytes): UInt64(bytes.count)
        case .file(_, let size): size
        }
    }

    /// Reads bytes from a position.
    ///
    /// - Returns: the number of bytes read; 0 at the end.
    /// - Throws: `Errno`, or ``ShortFile``.
    package func read(at position: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let wanted = Int(min(UInt64(buffer.count), size - position))
        switch self {
        case .bytes(let bytes):
            buffer.copyBytes(from: bytes[Int(position)..<(Int(position) + wanted)])
            return wanted
        case .file(let file, let size):
            if wanted == 0 { return 0 }
            let count = uninterrupted { pread(file, buffer.baseAddress, wanted, off_t(position)) }
            guard count >= 0 else { throw Errno(rawValue: errno) }
            guard count > 0 else { throw ShortFile(size: position, expected: size) }
            return count
        }
    }
}

/// The file was shorter than its stated size.
package struct ShortFile: Error {
    package let size: UInt64
    package let expected: UInt64
}
