extension S3Client {
    /// Deletes an object (DeleteObject). Succeeds if it does not exist.
    ///
    /// - Throws: ``S3Error``.
    public func delete(_ key: [UInt8]) throws {
        let request = S3Request(operation: "DELETE of an object", method: "DELETE", path: location.path(of: key))
        _ = try unlessAbsent {
            try retrying {
                let answer = try send(request)
                guard (200...299).contains(answer.status) else { throw refusal(answer) }
            }
        }
    }
}
