extension S3Client {
    /// Renews an object's age by copying the object onto itself (CopyObject). Its content type becomes
    /// `application/octet-stream`, and its storage class and encryption those of the location.
    ///
    /// - Returns: false when the bucket has none of this key.
    /// - Throws: ``S3Error``.
    public func renew(_ key: [UInt8]) throws -> Bool { try copy(key, to: key) }

    /// Copies an object within the bucket (CopyObject), with the same headers as ``renew(_:)``.
    ///
    /// - Returns: false when the bucket has none of this key.
    /// - Throws: ``S3Error``.
    public func copy(_ key: [UInt8], to target: [UInt8]) throws -> Bool {
        let path = location.path(of: key)
        let request = S3Request(
            operation: key == target ? "copy of an object onto itself" : "copy of an object",
            method: "PUT",
            path: location.path(of: target),
            headers: [
                ("content-type", "application/octet-stream"),
                ("x-amz-copy-source", location.isPathStyle ? path : "/\(location.bucket)\(path)"),
                // S3 refuses a copy onto itself that changes nothing.
                ("x-amz-metadata-directive", "REPLACE"),
            ] + location.newObject,
            // Some engines copy all bytes before they answer.
            stallTime: .seconds(55)
        )
        return try unlessAbsent {
            try retrying { try decoded(send(request)) { try readXML($0, root: "CopyObjectResult") { _, _ in } } }
        } != nil
    }
}
