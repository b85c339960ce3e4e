import PayloadKey

extension UploadFolder {
    /// Verifies an upload that the web server has already put into `incoming/`.
    ///
    /// - Parameters:
    ///   - path: the file as the web server names it: the store's path, `/incoming/` and a name.
    ///   - length: the announced length in bytes.
    ///   - digest: the announced digest.
    ///   - onPiece: called for each piece of the file, before it is hashed.
    /// - Throws: ``UploadMismatch`` if the length or digest is not the announced one; ``StoreError`` with code
    ///   `uploadNotAcceptable` if the path is not a regular file in `incoming/`, `uploadGone` if the file does not
    ///   exist; or what `onPiece` throws.
    public func verify(
        uploadAt path: [UInt8],
        length: UInt64,
        digest: Digest,
        onPiece: () throws -> Void = {}
    ) throws -> VerifiedUpload {
        let upload = try open(uploadAt: path)
        guard upload.size == length else { throw UploadMismatch.length(announced: length, actual: upload.size) }
        if upload.isTriedBefore { return try copy(upload, digest, onPiece) }
        let actual = try upload.content.digest { _ in try onPiece() }
        guard actual == digest else { throw UploadMismatch.digest(announced: digest, actual: actual) }
        return VerifiedUpload(digest: digest, content: upload.content, ownFile: nil)
    }

    /// Copies an upload whose sync may have failed before. The kernel reports a failed sync once, drops the unwritten
    /// data, and lets the next sync of the same file succeed: only a copy is certain to reach the disk.
    private func copy(_ upload: Upload, _ digest: Digest, _ onPiece: () throws -> Void) throws -> VerifiedUpload {
        do {
            return try receive(length: upload.size, digest: digest) { take in
                try upload.read(0..<upload.size) { piece in
                    try onPiece()
                    try take(piece)
                }
            }
        } catch let error as UploadMismatch {
            // The first attempt verified the same file.
            throw StoreError(.damaged, "\(upload.content.name) lost data that the disk could not write: \(error)")
        }
    }

    /// Receives an upload into a file of this process, and verifies it.
    ///
    /// - Parameters:
    ///   - source: fills the buffer with the next bytes and returns their number; zero means that the body has ended.
    ///   - length: the announced length in bytes. Reading stops once the body exceeds it.
    ///   - digest: the announced digest.
    /// - Throws: ``UploadMismatch``, ``StoreError``, or what `source` throws. Nothing is left in `incoming/` then.
    public func receive(
        from source: (UnsafeMutableRawBufferPointer) throws -> Int,
        length: UInt64,
        digest: Digest
    ) throws -> VerifiedUpload {
        try receive(length: length, digest: digest) { take in
            try Self.readPieces(of: source, take)
        }
    }

    /// As ``receive(from:length:digest:)``, for a source that calls a function with each piece.
    ///
    /// - Parameter produce: calls its argument with each piece, in order.
    public func receive(
        length: UInt64,
        digest: Digest,
        _ produce: (_ take: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws -> VerifiedUpload {
        let file = try IncomingFile(in: descriptor, isNamed: isLinked, logger: logger)
        var hasher = DigestHasher()
        var received: UInt64 = 0
        try produce { piece in
            received += UInt64(piece.count)
            guard received <= length else { throw UploadMismatch.length(announced: length, actual: received) }
            hasher.update(piece)
            try file.descriptor.write(piece)
        }
        guard received == length else { throw UploadMismatch.length(announced: length, actual: received) }
        let actual = hasher.finalize()
        guard actual == digest else { throw UploadMismatch.digest(announced: digest, actual: actual) }
        // Concurrent uploads may each have found enough space for themselves.
        try checkSpace(for: 0, written: length)
        return VerifiedUpload(digest: digest, content: FileContent(file.descriptor, size: length), ownFile: file)
    }

    static func readPieces(
        of source: (UnsafeMutableRawBufferPointer) throws -> Int,
        _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: FileContent.pieceSize, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try source(buffer)
            if count == 0 { return }
            try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
