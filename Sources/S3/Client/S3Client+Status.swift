extension S3Client {
    /// Checks endpoint, region, bucket and credentials by listing one key.
    ///
    /// - Parameter retrying: whether to retry temporary failures. Without retries, the check takes at most five
    ///   seconds.
    /// - Throws: ``S3Error``.
    public func checkBucket(retrying isRetrying: Bool) throws {
        var request = listRequest(location.prefix, most: 1)
        request.total = .seconds(5)
        _ = try isRetrying ? retrying { [request] in try page(request) } : page(request)
    }

    /// The size and age of an object (HeadObject); `nil` only if the engine states that the bucket has no object with
    /// this key.
    ///
    /// An unsuccessful answer to a HEAD has no body that explains it. So the client then requests the first byte with a
    /// GET: a 404 may concern the bucket, or come from a proxy or a wrong endpoint.
    ///
    /// - Throws: ``S3Error``.
    public func status(of key: [UInt8]) throws -> S3Object? {
        let path = location.path(of: key)
        let request = S3Request(operation: "HEAD of an object", method: "HEAD", path: path, total: .seconds(10))
        return try unlessAbsent {
            try retrying {
                let answer = try send(request)
                if answer.status == 200 { return try object(key, answer, size: answer.head.number("content-length")) }
                // A body would not change how the client handles these.
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
        // With 200, the body is the whole object.
        let answer = try send(request) { head, _ in (200...299).contains(head.status) ? .enough : nil }
        let range = answer.head["content-range"]
        switch answer.status {
        case 200: return try object(key, answer, size: answer.head.number("content-length"))
        case 206: return try object(key, answer, size: ContentRange(range)?.total)
        // An empty object has no first byte.
        case 416 where range == "bytes */0":
            return S3Object(key: key, size: 0, lastModified: answer.head.date("last-modified") ?? now())
        default: throw refusal(answer)
        }
    }

    private func object(_ key: [UInt8], _ answer: S3Answer, size: UInt64?) throws -> S3Object {
        guard let size, size <= S3Object.largest, let lastModified = answer.head.date("last-modified") else {
            throw malformed(answer.operation, "an object without a size or Last-Modified")
        }
        return S3Object(key: key, size: size, lastModified: lastModified)
    }
}
