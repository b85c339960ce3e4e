/// An answer, with as much of its body as was kept.
struct S3Answer {
    let head: AnswerHead
    let body: BodyBuffer
    /// What the request was signed with.
    let credentials: Credentials
    /// Of the request; no message may have it.
    let signature: String
    /// Unix seconds, when the request was signed.
    let signedAt: Int

    var status: Int { head.status }
    var isSuccess: Bool { (200...299).contains(status) }
}
