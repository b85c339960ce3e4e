import PayloadKey

extension S3Client {
    /// What came of an upload.
    public enum PutOutcome: Sendable, Equatable {
        /// The object is the one of this upload.
        case stored
        /// There was one of this key, or a try of this upload whose answer was lost had stored it.
        case existed
    }

    /// Uploads the first `size` bytes of an open file (PutObject). The engine refuses what does not have the digest.
    ///
    /// Takes no position of the file and moves none (pread(2)). Another try reads it anew.
    ///
    /// - Parameters:
    ///   - file: an open file descriptor; not closed.
    ///   - digest: the 32 bytes of the content's SHA-256.
    ///   - onlyIfAbsent: whether an object of this key is left as it is (`If-None-Match: *`).
    ///   - onPiece: called before each piece that is sent. What it throws ends the upload, and is thrown.
    /// - Throws: ``S3Error``, `Errno` when the file can't be read, or what `onPiece` throws.
    public func put(
        _ key: [UInt8],
        from file: Int32,
        size: UInt64,
        digest: [UInt8],
        onlyIfAbsent: Bool,
        onPiece: () throws -> Void = {}
    ) throws -> PutOutcome {
        let operation = "PUT of an object"
        let checksum = StandardBase64.encode(digest)
        var request = S3Request(
            operation: operation,
            method: "PUT",
            path: location.path(of: key),
            headers: [("content-type", "application/octet-stream"), ("x-amz-checksum-sha256", checksum)] + newObject,
            body: .file(file, size: size),
            payloadHash: hexDigits(digest),
            // It has to be on the engine's disks before the answer.
            stallTime: .seconds(30)
        )
        if onlyIfAbsent { request.headers.append(("if-none-match", "*")) }
        do throws(AttemptFailure) {
            return try retrying { () throws(AttemptFailure) in
                var answer = try send(request, onPiece: onPiece)
                if answer.status == 501, onlyIfAbsent {
                    // An engine without conditions. What it replaces has the same content.
                    request.headers.removeAll { $0.name == "if-none-match" }
                    answer = try send(request, onPiece: onPiece)
                }
                if answer.status == 412, onlyIfAbsent { return .existed }
                guard answer.status == 200, ErrorAnswer(answer.body.bytes) == nil else {
                    throw refusal(answer, operation)
                }
                // Something before the engine may answer 200, too.
                guard answer.head["etag"] != nil else { throw malformed(operation, "200 without an ETag") }
                if let stored = answer.head["x-amz-checksum-sha256"], stored != checksum {
                    throw .engine(failure(.badDigest, operation, "the engine stored something else"), .none)
                }
                return .stored
            }
        } catch .caller(let error as ShortFile) {
            throw failure(.badDigest, operation, "the file ended after \(error.size) of \(error.expected) bytes")
        } catch {
            throw error.error
        }
    }

    /// Headers that say how a new object is to be kept.
    var newObject: [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        if let storageClass = location.storageClass { headers.append(("x-amz-storage-class", storageClass)) }
        if let encryption = location.encryption {
            headers.append(("x-amz-server-side-encryption", encryption.algorithm))
            if let key = encryption.kmsKeyID { headers.append(("x-amz-server-side-encryption-aws-kms-key-id", key)) }
        }
        return headers
    }
}
