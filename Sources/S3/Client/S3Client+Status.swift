extension S3Client {
    /// Makes one request that shows that endpoint, region, bucket and credentials are right: it lists one key.
    ///
    /// - Parameter retrying: whether what may pass is waited for. Otherwise it takes five seconds at most.
    public func checkBucket(retrying isRetrying: Bool) throws(S3Error) {
        var request = listRequest(location.prefix, most: 1, after: .start)
        request.total = .seconds(5)
        do throws(AttemptFailure) {
            if isRetrying {
                _ = try retrying { [request] () throws(AttemptFailure) in try page(request) }
            } else {
                _ = try page(request)
            }
        } catch {
            throw error.ofEngine
        }
    }

    /// The size and age of an object (HeadObject); `nil` only when the engine says that the bucket has none of this
    /// key.
    ///
    /// The answer to a HEAD has no body that tells why it is no success, so that the same is asked again as a GET of
    /// the first byte: a 404 may be the bucket's, or that of a proxy or of a wrong endpoint.
    public func status(of key: [UInt8]) throws(S3Error) -> S3Object? {
        do throws(AttemptFailure) {
            return try retrying { () throws(AttemptFailure) in
                let operation = "HEAD of an object"
                let answer = try send(
                    S3Request(operation: operation, method: "HEAD", path: location.path(of: key), total: .seconds(10))
                )
                if answer.status == 200 {
                    return try object(key, answer.head, size: answer.head.number("content-length"), operation)
                }
                // Nothing that a body could tell would change these.
                if Self.busyStatuses.contains(answer.status) { throw refusal(answer, operation) }
                return try firstByte(key)
            }
        } catch {
            throw error.ofEngine
        }
    }

    private func firstByte(_ key: [UInt8]) throws(AttemptFailure) -> S3Object? {
        let operation = "GET of an object's first byte"
        let request = S3Request(
            operation: operation,
            method: "GET",
            path: location.path(of: key),
            headers: [("range", "bytes=0-0")],
            total: .seconds(10)
        )
        // A body of 200 is the whole object.
        let answer = try send(request) { head, _ in (200...299).contains(head.status) ? .enough : nil }
        switch answer.status {
        case 200: return try object(key, answer.head, size: answer.head.number("content-length"), operation)
        case 206:
            return try object(key, answer.head, size: ContentRange(answer.head["content-range"])?.total, operation)
        // No byte is the first of an empty object.
        case 416 where answer.head["content-range"] == "bytes */0":
            return S3Object(key: key, size: 0, lastModified: answer.head.date("last-modified") ?? now())
        default:
            let refusal = refusal(answer, operation)
            if case .engine(let error, _) = refusal, error.code == .noSuchKey { return nil }
            throw refusal
        }
    }

    private func object(
        _ key: [UInt8],
        _ head: AnswerHead,
        size: UInt64?,
        _ operation: String
    ) throws(AttemptFailure) -> S3Object {
        guard let size, size <= S3Object.largest, let lastModified = head.date("last-modified") else {
            throw malformed(operation, "no size of an object, or no Last-Modified")
        }
        return S3Object(key: key, size: size, lastModified: lastModified)
    }

    func malformed(_ operation: String, _ text: String) -> AttemptFailure {
        .engine(failure(.malformedAnswer, operation, text), .none)
    }
}
