import PayloadKey

extension UploadFolder {
    /// Verifies an upload that the web server has already put into `incoming/`.
    ///
    /// - Parameters:
    ///   - path: where the web server says the file is: the store's own path, `/incoming/` and a name.
    ///   - length: the announced length in bytes.
    ///   - digest: the announced digest.
    ///   - onPiece: called with each piece of the file, before it is hashed.
    /// - Throws: ``UploadMismatch`` when the content is not what was announced; ``StoreError`` with code
    ///   `uploadNotAcceptable` when the path is not a regular file in `incoming/`, `uploadGone` when there is no file;
    ///   or what `onPiece` throws.
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
        return VerifiedUpload(digest: digest, size: length, descriptor: upload.content.descriptor, ownFile: nil)
    }

    /// Its sync may have failed. The kernel says so once, drops what it could not write, and the next sync of the same
    /// file succeeds: only a copy will be on disk.
    private func copy(_ upload: Upload, _ digest: Digest, _ onPiece: () throws -> Void) throws -> VerifiedUpload {
        do {
            return try receive(length: upload.size, digest: digest) { take in
                try upload.read(0..<upload.size) { piece in
                    try onPiece()
                    try take(piece)
                }
            }
        } catch let error as UploadMismatch {
            // It was right when it was tried before.
            throw StoreError(.damaged, "\(upload.content.name) has lost what the disk could not write: \(error)")
        }
    }

    /// Receives an upload into a file of the store's own, and verifies it.
    ///
    /// - Parameters:
    ///   - source: puts the next bytes into the buffer and returns their number; zero means that the body has ended.
    ///   - length: the announced length in bytes; what comes after is not read.
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

    /// Receives an upload, as ``receive(from:length:digest:)`` does, from what hands its pieces over.
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
        // Others may have come meanwhile, each of which found room for itself.
        try checkSpace(for: 0)
        return VerifiedUpload(digest: digest, size: length, descriptor: file.descriptor, ownFile: file)
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
