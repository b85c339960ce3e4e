extension S3Client {
    /// Deletes an object (DeleteObject). That there is none is no failure.
    public func delete(_ key: [UInt8]) throws(S3Error) {
        let operation = "DELETE of an object"
        do throws(AttemptFailure) {
            try retrying { () throws(AttemptFailure) in
                let path = location.path(of: key)
                let answer = try send(S3Request(operation: operation, method: "DELETE", path: path))
                if !answer.isSuccess { throw refusal(answer, operation) }
            }
        } catch .engine(let error, _) where error.code == .noSuchKey {
            return
        } catch {
            throw error.ofEngine
        }
    }
}
