import SystemPackage

/// Reads a whole file. Of a file over `limit` bytes it reads only enough to return more than `limit` bytes.
///
/// - Throws: `Errno`. A failure to close the file is ignored, because the file was only read.
package func readFile(_ path: String, limit: Int) throws -> [UInt8] {
    let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    defer { _ = try? file.close() }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 * 1024)
    while bytes.count <= limit {
        let count = try piece.withUnsafeMutableBytes { try file.read(into: $0) }
        if count == 0 { break }
        bytes += piece[..<count]
    }
    return bytes
}

/// As ``readFile(_:limit:)``.
///
/// - Parameter action: the operation that the error names.
/// - Throws: ``SystemCallError``
package func readFile(_ path: String, limit: Int, to action: @autoclosure () -> String) throws -> [UInt8] {
    do {
        return try readFile(path, limit: limit)
    } catch let error as Errno {
        throw SystemCallError(action(), error)
    }
}
