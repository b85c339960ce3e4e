import Glibc

/// What a client sent, in a file of `incoming/`; nothing of it is verified, so it can only be read.
public struct Upload: Sendable {
    package let content: FileContent
    /// Present when the file is the store's own, whose name must go afterwards; nginx removes its own.
    let ownFile: IncomingFile?
    /// Whether a commit of this very file was begun before: the web server gives the request of a worker that has died to
    /// the next one, with the file.
    let isTriedBefore: Bool

    /// Bytes.
    public var size: UInt64 { content.size }

    /// Hands `range` of it to `take`, piece by piece.
    ///
    /// - Throws: ``StoreError`` when the file can't be read or ends early, or what `take` throws.
    public func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        try content.read(range, take)
    }
}

extension UploadFolder {
    /// Opens an upload that the web server has already put into `incoming/`.
    ///
    /// - Parameter path: where the web server says the file is: the store's own path, `/incoming/` and a name.
    /// - Throws: ``StoreError`` with code `uploadNotAcceptable` when the path is not a regular file in `incoming/`,
    ///   `uploadGone` when there is no file.
    public func open(uploadAt path: [UInt8]) throws -> Upload {
        let name = try nameInIncoming(path)
        let file: Descriptor
        do {
            // O_NONBLOCK: a fifo must not hold the thread. It means nothing for regular files (open(2)).
            file = try descriptor.open(name, O_RDONLY | O_NONBLOCK, as: "upload \(name)")
        } catch let error as StoreError {
            let code: StoreError.Code = error.errno == .noSuchFileOrDirectory ? .uploadGone : .uploadNotAcceptable
            throw StoreError(code, "open upload \(self.name)/\(name)", errno: error.errno)
        }
        let status = try file.status()
        guard status.isRegular else {
            throw StoreError(.uploadNotAcceptable, "upload \(self.name)/\(name) is not a regular file")
        }
        return Upload(
            content: FileContent(file, size: status.size),
            ownFile: nil,
            // A commit takes the right to write away before it syncs.
            isTriedBefore: status.mode & 0o200 == 0
        )
    }

    /// Puts a body into a file of the store's own, which is gone with the last reference to the upload.
    ///
    /// - Parameters:
    ///   - source: puts the next bytes into the buffer and returns their number; zero means that the body has ended.
    ///   - limit: bytes. Of a larger body no more is read than it takes to see that it is.
    /// - Returns: the upload; its size is over `limit` when the body's is.
    /// - Throws: ``StoreError``, or what `source` throws. Nothing is left in `incoming/` then.
    public func spool(from source: (UnsafeMutableRawBufferPointer) throws -> Int, limit: UInt64) throws -> Upload {
        let file = try IncomingFile(in: descriptor, isNamed: isLinked, logger: logger)
        var size: UInt64 = 0
        try Self.readPieces { buffer in
            size > limit ? 0 : try source(buffer)
        } _: { piece in
            size += UInt64(piece.count)
            try file.descriptor.write(piece)
        }
        return Upload(content: FileContent(file.descriptor, size: size), ownFile: file, isTriedBefore: false)
    }

    /// The name of an upload's file, when the path leads straight into `incoming/`.
    private func nameInIncoming(_ path: [UInt8]) throws -> String {
        guard let folder = spellings.first(where: { path.starts(with: $0) }),
            let name = String(validating: path.dropFirst(folder.count), as: UTF8.self),
            // A NUL byte would end the name that the system gets.
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
