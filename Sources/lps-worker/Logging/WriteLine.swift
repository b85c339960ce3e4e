import Glibc
import System

/// Writes a line, in one write(2) unless the kernel takes only a part of it.
func writeLine(_ line: String, to descriptor: Int32 = STDERR_FILENO) {
    Array("\(line)\n".utf8).withUnsafeBytes { bytes in
        var rest = bytes
        while !rest.isEmpty {
            let count = uninterrupted { write(descriptor, rest.baseAddress, rest.count) }
            // Nobody is left to be told that a log can't be written.
            guard count > 0 else { return }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
