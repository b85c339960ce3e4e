import PayloadKey
import System
import SystemPackage

extension StorePolicy {
    /// The longest file to read, in bytes: thousands of namespaces.
    static let maximumFileSize = 1 << 20

    /// Reads a policy's file.
    ///
    /// - Throws: ``PolicyError`` of one line that names the file.
    package init(contentsOfFile path: String) throws(PolicyError) {
        let bytes: [UInt8]
        do {
            bytes = try readFile(path, limit: Self.maximumFileSize)
        } catch {
            throw PolicyError("policy \(path) can't be read: \(error)", errno: error as? Errno)
        }
        guard bytes.count <= Self.maximumFileSize else {
            throw PolicyError("policy \(path) has over \(Self.maximumFileSize) bytes")
        }
        try self.init(parsing: bytes, file: path)
    }
}

/// Why a policy can't be used: file, line, value and what was expected, in one line.
package struct PolicyError: Error, Equatable, CustomStringConvertible {
    package let description: String
    /// The failure of the system call, where one failed.
    package let errno: Errno?

    init(_ description: String, errno: Errno? = nil) {
        self.description = description
        self.errno = errno
    }
}
