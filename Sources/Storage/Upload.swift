import Glibc

/// An unverified upload in a file of `incoming/`. It can only be read.
public struct Upload: Sendable {
    package let content: FileContent
    /// Whether another worker already began to commit this file: when a worker dies, the web server passes its request
    /// and the file to the next one.
    let isTriedBefore: Bool

    /// The upload's length in bytes.
    public var size: UInt64 { content.size }

    /// The open file's descriptor, valid for the life of this value.
    package var fileDescriptor: Int32 { content.descriptor.rawValue }

    /// Passes `range` of the upload to `take`, piece by piece.
    ///
    /// - Throws: ``StoreError`` if the file can't be read or ends early, or what `take` throws.
    public func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        try content.read(range, take)
    }
}

extension UploadFolder {
    /// Opens an upload that the web server has already put into `incoming/`.
    ///
    /// - Parameter path: the file as the web server names it: the store's path, `/incoming/` and a name.
    /// - Throws: ``StoreError`` with code `uploadNotAcceptable` if the path is not a regular file in `incoming/`,
    ///   `uploadGone` if the file does not exist.
    public func open(uploadAt path: [UInt8]) throws -> Upload {
        let name = try nameInIncoming(path)
        let text = String(decoding: path, as: UTF8.self)
        let file: Descriptor
        do {
            // Without O_NONBLOCK, opening a fifo would block the thread. It has no effect on regular files (open(2)).
            file = try descriptor.open(name, O_RDONLY | O_NONBLOCK, as: ("upload ", name))
        } catch let error as StoreError {
            let code: StoreError.Code = error.errno == .noSuchFileOrDirectory ? .uploadGone : .uploadNotAcceptable
            throw StoreError(code, "open upload \(text)", errno: error.errno)
        }
        let status = try file.status()
        guard status.isRegular else {
            throw StoreError(.uploadNotAcceptable, "upload \(text) is not a regular file")
        }
        return Upload(
            content: FileContent(file, status),
            // A commit removes the write permission before it syncs.
            isTriedBefore: status.mode & 0o200 == 0
        )
    }

    /// Writes a body to a file without a name, which therefore is deleted with the last reference to the upload, even if
    /// this process is killed.
    ///
    /// - Parameters:
    ///   - source: fills the buffer with the next bytes and returns their number; zero means that the body has ended.
    ///   - limit: the largest size to accept, in bytes. Reading stops soon after the body exceeds it.
    /// - Returns: the upload; its size is over `limit` if the body's is.
    /// - Throws: ``StoreError``, or what `source` throws. Nothing is left in `incoming/` then.
    public func spool(from source: (UnsafeMutableRawBufferPointer) throws -> Int, limit: UInt64) throws -> Upload {
        try spool { take in
            var size: UInt64 = 0
            try Self.readPieces { buffer in
                size > limit ? 0 : try source(buffer)
            } _: { piece in
                size += UInt64(piece.count)
                try take(piece)
            }
        }
    }

    /// As ``spool(from:limit:)``, for a source that calls a function with each piece.
    ///
    /// - Parameter produce: calls its argument with each piece, in order.
    public func spool(_ produce: (_ take: (UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws -> Upload {
        let file = try IncomingFile(in: descriptor, isNamed: false, logger: logger).descriptor
        var size: UInt64 = 0
        try produce { piece in
            try file.write(piece)
            size += UInt64(piece.count)
        }
        return Upload(content: FileContent(file, size: size), isTriedBefore: false)
    }

    /// The name of an upload's file, if the path leads directly into `incoming/`.
    private func nameInIncoming(_ path: [UInt8]) throws -> String {
        guard let folder = spellings.first(where: { path.starts(with: $0) }),
            let name = String(validating: path.dropFirst(folder.count), as: UTF8.self),
            // A NUL byte would end the name for system calls.
            !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0), name != ".", name != ".."
        else {
            throw StoreError(
                .uploadNotAcceptable,
                "upload file '\(String(decoding: path, as: UTF8.self))' is not in \(self.path)/: "
                    + "client_body_temp_path and \(setting) must agree"
            )
        }
        return name
    }
}
