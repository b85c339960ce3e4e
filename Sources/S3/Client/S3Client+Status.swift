extension S3Client {
    /// Makes one request that shows that endpoint, region, bucket and credentials are right: it lists one key.
    ///
    /// - Parameter retrying: whether what may pass is waited for. Otherwise it takes five seconds at most.
    /// - Throws: ``S3Error``.
    public func checkBucket(retrying isRetrying: Bool) throws {
        var request = listRequest(location.prefix, most: 1)
        request.total = .seconds(5)
        _ = try isRetrying ? retrying { [request] in try page(request) } : page(request)
    }

    /// The size and age of an object (HeadObject); `nil` only when the engine says that the bucket has none of this
    /// key.
    ///
    /// The answer to a HEAD has no body that tells why it is no success, so that the same is asked again as a GET of
    /// the first byte: a 404 may be the bucket's, or that of a proxy or of a wrong endpoint.
    ///
    /// - Throws: ``S3Error``.
    public func status(of key: [UInt8]) throws -> S3Object? {
        let path = location.path(of: key)
        let request = S3Request(operation: "HEAD of an object", method: "HEAD", path: path, total: .seconds(10))
        return try unlessAbsent {
            try retrying {
                let answer = try send(request)
                if answer.status == 200 { return try object(key, answer, size: answer.head.number("content-length")) }
                // Nothing that a body could tell would change these.
                if Self.busyStatuses.contains(answer.status) { throw refusal(answer) }
                return try firstByte(key)
            }
        }
    }

    private func firstByte(_ key: [UInt8]) throws -> S3Object {
        let request = S3Request(
            operation: "GET of an object's first byte",
            method: "GET",
            path: location.path(of: key),
            headers: [("range", "bytes=0-0")],
            total: .seconds(10)
        )
        // A body of 200 is the whole object.
        let answer = try send(request) { head, _ in (200...299).contains(head.status) ? .enough : nil }
        let range = answer.head["content-range"]
        switch answer.status {
        case 200: return try object(key, answer, size: answer.head.number("content-length"))
        case 206: return try object(key, answer, size: ContentRange(range)?.total)
        // No byte is the first of an empty object.
        case 416 where range == "bytes */0":
            return S3Object(key: key, size: 0, lastModified: answer.head.date("last-modified") ?? now())
        default: throw refusal(answer)
        }
    }

    private func object(_ key: [UInt8], _ answer: S3Answer, size: UInt64?) throws -> S3Object {
        guard let size, size <= S3Object.largest, let lastModified = answer.head.date("last-modified") else {
            throw malformed(answer.operation, "no size of an object, or no Last-Modified")
        }
        return S3Object(key: key, size: size, lastModified: lastModified)
    }
}
