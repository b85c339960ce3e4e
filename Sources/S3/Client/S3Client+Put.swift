import Crypto
import Encoding

extension S3Client {
    /// What came of an upload.
    public enum PutOutcome: Sendable, Equatable {
        /// The object is the one of this upload.
        case stored
        /// There was one of this key, or another upload of this key, or a try of this one whose answer was lost, has come
        /// first. What is there is for the caller to compare.
        case existed
    }

    /// Uploads an object (PutObject). The engine refuses what does not have the digest, where it compares one
    /// (``EngineCapabilities/verified``). Another try reads the body anew.
    ///
    /// - Parameters:
    ///   - digest: the 32 bytes of the content's SHA-256.
    ///   - onlyIfAbsent: whether an object of this key is left as it is (`If-None-Match: *`).
    ///   - onPiece: called before each piece that is sent. What it throws ends the upload, and is thrown.
    /// - Throws: ``S3Error``, `Errno` when the file can't be read, or what `onPiece` throws.
    public func put(
        _ key: [UInt8],
        _ body: S3Body,
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

    /// An upload without the headers that not every engine knows.
    func upload(_ key: [UInt8], _ body: S3Body, digest: [UInt8]) -> S3Request {
        S3Request(
            operation: Self.upload,
            method: "PUT",
            path: location.path(of: key),
            headers: [("content-type", "application/octet-stream")] + location.newObject,
            body: body,
            payloadHash: hexDigits(digest),
            // It has to be on the engine's disks before the answer.
            stallTime: .seconds(30)
        )
    }

    /// Sends an upload with the headers that the engine knows. When it may have refused one, with fewer, and remembers which
    /// it was.
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
        // Without a condition, what is replaced has the same content.
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

    /// Whether a refusal may be that of a header: 501 of R2, 400 InvalidArgument of Backblaze.
    private static func mayNotKnowHeader(_ answer: S3Answer) -> Bool {
        if answer.status == 501 { return true }
        guard answer.status == 400, let error = answer.error else { return false }
        return ["InvalidArgument", "InvalidRequest", "NotImplemented"].contains(error.code)
    }

    private func outcome(of answer: S3Answer, _ digest: [UInt8], _ onlyIfAbsent: Bool) throws -> PutOutcome {
        if answer.status == 412, onlyIfAbsent { return .existed }
        guard answer.status == 200, answer.error == nil else { throw refusal(answer) }
        guard answer.head["etag"] != nil else {
            // OpenStack Swift's answer to an upload that another one of this key has overtaken. Something before the engine
            // may answer so, too.
            if onlyIfAbsent { return .existed }
            throw malformed(Self.upload, "200 without an ETag")
        }
        if let stored = answer.head["x-amz-checksum-sha256"], stored != StandardBase64.encode(digest) {
            throw failure(.badDigest, Self.upload, "the engine stored something else")
        }
        return .stored
    }

    /// The Content-MD5 of a body, for engines that compare nothing else.
    private func md5(of body: S3Body, _ onPiece: () throws -> Void) throws -> String {
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
