import SystemPackage

/// Reads all of a file, or of a longer one as much as tells that it has over `limit` bytes.
///
/// - Throws: `Errno`. That a file which was only read can't be closed says nothing of what it has.
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
/// - Parameter action: what is being done, for the error.
/// - Throws: ``SystemCallError``
package func readFile(_ path: String, limit: Int, to action: @autoclosure () -> String) throws -> [UInt8] {
    do {
        return try readFile(path, limit: limit)
    } catch let error as Errno {
        throw SystemCallError(action(), error)
    }
}
