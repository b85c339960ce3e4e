import Crypto
import Encoding
import HTTP

extension S3Client {
    /// The outcome of an upload.
    public enum PutOutcome: Sendable, Equatable {
        /// The engine stored this upload.
        case stored
        /// An object with this key exists: an earlier one, a concurrent upload's, or this upload's own, if the answer
        /// to a previous try was lost. The caller must compare it.
        case existed
    }

    /// Uploads an object (PutObject). The engine refuses content that does not match the digest, if it compares one
    /// (``EngineCapabilities/verified``). Each retry reads the body from its start.
    ///
    /// - Parameters:
    ///   - digest: the 32 bytes of the content's SHA-256.
    ///   - onlyIfAbsent: whether to keep an existing object (`If-None-Match: *`).
    ///   - onPiece: called before each piece is sent. An error it throws ends the upload and is rethrown.
    /// - Throws: ``S3Error``, `Errno` if the file can't be read, or the error of `onPiece`.
    public func put(
        _ key: [UInt8],
        _ body: RequestBody,
        digest: [UInt8],
        onlyIfAbsent: Bool,
        onPiece: () throws -> Void = {}
    ) throws -> PutOutcome {
        do {
            var request = upload(key, body, digest: digest)
            if engine.verified == [.md5] { request.headers.append(("content-md5", try md5(of: body, onPiece))) }
            return try retrying { [request] in
                let answer = try send(request, checksum: StandardBase64.encode(digest), onlyIfAbsent, onPiece)
                return try outcome(of: answer, digest, onlyIfAbsent)
            }
        } catch let error as ShortFile {
            let text = "the file ended after \(error.size) of \(error.expected) bytes"
            throw failure(.badDigest, Self.upload, text)
        }
    }

    private static let upload = "PUT of an object"

    /// An upload without the headers that some engines refuse.
    func upload(_ key: [UInt8], _ body: RequestBody, digest: [UInt8]) -> S3Request {
        S3Request(
            operation: Self.upload,
            method: "PUT",
            path: location.path(of: key),
            headers: [("content-type", "application/octet-stream")] + location.newObject,
            body: body,
            payloadHash: hexDigits(digest),
            // The engine writes the object to its disks before it answers.
            stallTime: .seconds(30)
        )
    }

    /// Sends an upload with the headers that the engine accepts. If it may have refused one of them, tries again with
    /// fewer and remembers which one was refused.
    private func send(
        _ upload: S3Request,
        checksum: String,
        _ onlyIfAbsent: Bool,
        _ onPiece: () throws -> Void
    ) throws -> S3Answer {
        func answer(_ headers: (checksum: Bool, condition: Bool)) throws -> S3Answer {
            var request = upload
            if headers.checksum { request.headers.append(("x-amz-checksum-sha256", checksum)) }
            if headers.condition { request.headers.append(("if-none-match", "*")) }
            return try send(request, onPiece: onPiece)
        }
        let all = (checksum: engine.takesChecksum, condition: onlyIfAbsent && engine.condition != .refused)
        let first = try answer(all)
        guard Self.mayNotKnowHeader(first) else { return first }
        // Without the condition, an existing object is replaced by the same content.
        for fewer in [(false, all.condition), (all.checksum, false), (false, false)] where fewer != all {
            let next = try answer(fewer)
            guard (200...299).contains(next.status) || next.status == 412 else { continue }
            learn { engine in
                if fewer.0 != all.checksum { engine.takesChecksum = false }
                if fewer.1 != all.condition { engine.condition = .refused }
            }
            return next
        }
        return first
    }

    /// Whether the engine may have refused a header: R2 answers 501, Backblaze 400 InvalidArgument.
    private static func mayNotKnowHeader(_ answer: S3Answer) -> Bool {
        if answer.status == 501 { return true }
        guard answer.status == 400, let error = answer.error else { return false }
        return ["InvalidArgument", "InvalidRequest", "NotImplemented"].contains(error.code)
    }

    private func outcome(of answer: S3Answer, _ digest: [UInt8], _ onlyIfAbsent: Bool) throws -> PutOutcome {
        if answer.status == 412, onlyIfAbsent { return .existed }
        guard answer.status == 200, answer.error == nil else { throw refusal(answer) }
        guard answer.head["etag"] != nil else {
            // OpenStack Swift answers so to an upload that a concurrent upload of this key has overtaken. A proxy in
            // front of the engine may answer so as well.
            if onlyIfAbsent { return .existed }
            throw malformed(Self.upload, "200 without an ETag")
        }
        if let stored = answer.head["x-amz-checksum-sha256"], stored != StandardBase64.encode(digest) {
            throw failure(.badDigest, Self.upload, "the engine stored other content")
        }
        return .stored
    }

    /// The Content-MD5 of a body, for engines that compare no other checksum.
    private func md5(of body: RequestBody, _ onPiece: () throws -> Void) throws -> String {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 16)
        defer { buffer.deallocate() }
        var hasher = Insecure.MD5()
        var position: UInt64 = 0
        while position < body.size {
            try onPiece()
            let count = try body.read(at: position, into: buffer)
            hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            position += UInt64(count)
        }
        return StandardBase64.encode(hasher.finalize())
    }
}
