/// An answer, with as much of its body as was kept.
struct S3Answer {
    /// What was asked for, for messages.
    let operation: String
    let head: AnswerHead
    let body: BodyBuffer
    /// What the request was signed with.
    let credentials: Credentials
    /// Of the request; no message may have it.
    let signature: String
    /// Unix seconds, when the request was signed.
    let signedAt: Int

    var status: Int { head.status }
    /// What the body says of a failure, which may come with any status; `nil` for a body that is no error of an S3 engine.
    var error: ErrorAnswer? { body.isCut ? nil : ErrorAnswer(body.bytes) }
}

extension S3Client {
    /// Reads the XML of an answer that is a success. 200 may have been sent before the operation failed.
    func decoded<Value>(_ answer: S3Answer, _ decode: ([UInt8]) throws -> Value) throws -> Value {
        guard answer.status == 200, answer.error == nil else { throw refusal(answer) }
        guard !answer.body.isCut else { throw malformed(answer.operation, "an answer of over 4 MiB") }
        do {
            return try decode(answer.body.bytes)
        } catch let error as XMLError {
            throw malformed(answer.operation, error.description)
        }
    }
}
