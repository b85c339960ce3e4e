import PayloadKey
import Storage
import SystemPackage

/// An open file that can be read from its start several times.
struct InputFile {
    private let name: String
    private let descriptor: FileDescriptor

    /// Opens a file while `body` runs.
    ///
    /// - Throws: ``CommandError``, or the error of `body`.
    static func reading<Value>(
        _ path: String,
        options: FileDescriptor.OpenOptions = [],
        _ body: (InputFile) throws -> Value
    ) throws -> Value {
        let descriptor = try CommandError.naming("open \(path)") {
            try FileDescriptor.open(path, .readOnly, options: options)
        }
        // Nothing was written, so a failed close loses nothing.
        defer { _ = try? descriptor.close() }
        return try body(InputFile(name: path, descriptor: descriptor))
    }

    private init(name: String, descriptor: FileDescriptor) {
        self.name = name
        self.descriptor = descriptor
    }

    /// Receives the file as an upload, with the digest of its content.
    func received(by uploads: UploadFolder) throws -> VerifiedUpload {
        var hasher = DigestHasher()
        var length: UInt64 = 0
        try forEachPiece { piece in
            hasher.update(piece)
            length += UInt64(piece.count)
        }
        try uploads.checkSpace(for: length)
        return try uploads.receive(length: length, digest: hasher.finalize()) { try forEachPiece($0) }
    }

    /// Reads the file from its start, piece by piece.
    ///
    /// - Throws: ``CommandError``, or the error of `take`.
    func forEachPiece(_ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while true {
            let count = try CommandError.naming("read \(name)") {
                try descriptor.read(fromAbsoluteOffset: offset, into: buffer)
            }
            if count == 0 { return }
            try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += Int64(count)
        }
    }
}
