import Glibc
import PayloadKey
import SystemPackage

extension PayloadStore {
    /// Bytes that are read at a time: enough to make the calls' cost vanish, small enough for many threads.
    static let pieceSize = 128 * 1024

    /// Verifies an upload that the web server has already put into `incoming/`.
    ///
    /// - Parameters:
    ///   - path: where the web server says the file is: the store's own path, `/incoming/` and a name.
    ///   - length: the announced length in bytes.
    ///   - digest: the announced digest.
    /// - Throws: ``UploadMismatch`` when the content is not what was announced; ``StoreError`` with code
    ///   `uploadNotAcceptable` when the path is not a regular file in `incoming/`, `uploadGone` when there is no file.
    public func verify(uploadAt path: [UInt8], length: UInt64, digest: Digest) throws -> VerifiedUpload {
        let name = try nameInIncoming(path)
        let file: Descriptor
        do {
            // O_NONBLOCK: a fifo must not hold the thread. It means nothing for regular files (open(2)).
            file = try incoming.open(name, O_RDONLY | O_NONBLOCK)
        } catch {
            let code: StoreError.Code = error.errno == .noSuchFileOrDirectory ? .uploadGone : .uploadNotAcceptable
            throw StoreError(code, "open upload \(StoreLayout.incoming)/\(name)", errno: error.errno)
        }
        let status = try file.status(name)
        guard status.isRegular else {
            throw StoreError(.uploadNotAcceptable, "upload \(StoreLayout.incoming)/\(name) is not a regular file")
        }
        guard status.size == length else { throw UploadMismatch.length(announced: length, actual: status.size) }
        let actual = try computeDigest(of: file, name)
        guard actual == digest else { throw UploadMismatch.digest(announced: digest, actual: actual) }
        return VerifiedUpload(digest: digest, size: length, descriptor: file, ownFile: nil)
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
        let file = try IncomingFile(in: incoming, logger: logger)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 16)
        defer { buffer.deallocate() }
        var hasher = DigestHasher()
        var received: UInt64 = 0
        while received <= length {
            let count = try source(buffer)
            if count == 0 { break }
            received += UInt64(count)
            guard received <= length else { break }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            hasher.update(piece)
            try file.descriptor.write(piece, file.name)
        }
        guard received == length else { throw UploadMismatch.length(announced: length, actual: received) }
        let actual = hasher.finalize()
        guard actual == digest else { throw UploadMismatch.digest(announced: digest, actual: actual) }
        return VerifiedUpload(digest: digest, size: length, descriptor: file.descriptor, ownFile: file)
    }

    /// The name of an upload's file, when the path leads straight into `incoming/`.
    private func nameInIncoming(_ path: [UInt8]) throws(StoreError) -> String {
        guard let folder = uploadFolders.first(where: { path.starts(with: $0) }),
            let name = String(validating: path.dropFirst(folder.count), as: UTF8.self),
            !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), name != ".", name != ".."
        else {
            throw StoreError(
                .uploadNotAcceptable,
                "upload file '\(String(decoding: path, as: UTF8.self))' is not in \(self.path)/\(StoreLayout.incoming)/: "
                    + "client_body_temp_path and --store must agree"
            )
        }
        return name
    }

    private func computeDigest(of file: Descriptor, _ name: String) throws(StoreError) -> Digest {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 16)
        defer { buffer.deallocate() }
        var hasher = DigestHasher()
        var offset: off_t = 0
        while true {
            let count = try countingSystemCall("read upload \(name)") {
                pread(file.rawValue, buffer.baseAddress, buffer.count, offset)
            }
            if count == 0 { return hasher.finalize() }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += off_t(count)
        }
    }
}
