extension S3Client {
    /// Copies an object onto itself, so that its age counts from now (CopyObject). Its content type becomes
    /// `application/octet-stream`, its storage class and encryption those of the location.
    ///
    /// - Returns: false when the bucket has none of this key.
    public func renew(_ key: [UInt8]) throws(S3Error) -> Bool { try copy(key, to: key) }

    /// Copies an object within the bucket (CopyObject), as ``renew(_:)`` does.
    ///
    /// - Returns: false when the bucket has none of this key.
    public func copy(_ key: [UInt8], to target: [UInt8]) throws(S3Error) -> Bool {
        let operation = key == target ? "copy of an object onto itself" : "copy of an object"
        let path = location.path(of: key)
        let request = S3Request(
            operation: operation,
            method: "PUT",
            path: location.path(of: target),
            headers: [
                ("content-type", "application/octet-stream"),
                ("x-amz-copy-source", location.isPathStyle ? path : "/\(location.bucket)\(path)"),
                // A copy onto itself must change something.
                ("x-amz-metadata-directive", "REPLACE"),
            ] + newObject,
            // Engines copy all bytes before they answer.
            stallTime: .seconds(55)
        )
        do throws(AttemptFailure) {
            return try retrying { () throws(AttemptFailure) in
                let answer = try send(request)
                guard answer.status == 200 else {
                    let refusal = refusal(answer, operation)
                    if case .engine(let error, _) = refusal, error.code == .noSuchKey { return false }
                    throw refusal
                }
                // 200 may have been sent before the copy failed.
                if let error = ErrorAnswer(answer.body.bytes) { throw refusal(answer, operation, error) }
                try checkCopy(answer, operation)
                return true
            }
        } catch {
            throw error.ofEngine
        }
    }

    private func checkCopy(_ answer: S3Answer, _ operation: String) throws(AttemptFailure) {
        do throws(XMLError) {
            try readXML(answer.body.bytes) { (path, _) throws(XMLError) in
                guard path[0] == "CopyObjectResult" else { throw XMLError(description: "no copy: <\(path[0])>") }
            }
        } catch {
            throw malformed(operation, error.description)
        }
    }
}
