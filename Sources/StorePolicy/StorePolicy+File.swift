import PayloadKey
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
            let file = try FileDescriptor.open(path, .readOnly)
            defer { _ = try? file.close() }
            bytes = try Self.read(file)
        } catch {
            throw PolicyError("policy \(path) can't be read: \(error)", errno: (error as? Errno)?.rawValue)
        }
        guard bytes.count <= Self.maximumFileSize else {
            throw PolicyError("policy \(path) has over \(Self.maximumFileSize) bytes")
        }
        try self.init(parsing: bytes, file: path)
    }

    /// Reads to the end, or one byte more than there may be.
    private static func read(_ file: FileDescriptor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count <= maximumFileSize {
            let count = try piece.withUnsafeMutableBytes { try file.read(into: $0) }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        return bytes
    }
}

/// Why a policy can't be used: file, line, value and what was expected, in one line.
package struct PolicyError: Error, Equatable, CustomStringConvertible {
    package let description: String
    /// The failure of the system call, where one failed.
    package let errno: Int32?

    init(_ description: String, errno: Int32? = nil) {
        self.description = description
        self.errno = errno
    }
}
