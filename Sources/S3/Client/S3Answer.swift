import HTTP

/// An answer, with the part of its body that was kept.
struct S3Answer {
    /// The requested operation, for messages.
    let operation: String
    let head: AnswerHead
    let body: BodyBuffer
    /// The credentials that signed the request.
    let credentials: Credentials
    /// The request's signature. Messages must not contain it.
    let signature: String
    /// When the request was signed, in Unix seconds.
    let signedAt: Int

    var status: Int { head.status }
    /// The error in the body, which any status can carry; `nil` if the body is not an S3 error.
    var error: ErrorAnswer? { body.isCut ? nil : ErrorAnswer(body.bytes) }
}

extension S3Client {
    /// Decodes the XML of a successful answer. An engine may send 200 before the operation fails; then the body is an
    /// error.
    func decoded<Value>(_ answer: S3Answer, _ decode: ([UInt8]) throws -> Value) throws -> Value {
        guard answer.status == 200, answer.error == nil else { throw refusal(answer) }
        guard !answer.body.isCut else { throw malformed(answer.operation, "the answer exceeds 4 MiB") }
        do {
            return try decode(answer.body.bytes)
        } catch let error as XMLError {
            throw malformed(answer.operation, error.description)
        }
    }
}
