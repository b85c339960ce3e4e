/// A request of an S3 operation, not signed yet.
struct S3Request {
    /// What is being done, for messages: `PUT of an object`.
    let operation: String
    let method: String
    let path: String
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: HTTPRequest.Body = .none
    /// SHA-256 of the body, in hex.
    var payloadHash = SigV4Signer.emptyPayloadHash
    /// In place of the limits' own, for answers that take longer.
    var stallTime: Duration?
    /// How long it may take in all, where the answer is short.
    var total: Duration?
    /// What the client's deadline is for.
    var deadline = Deadline.wholeAnswer

    enum Deadline {
        case wholeAnswer
        /// The answer takes as long as whoever reads it.
        case firstByte
        /// The caller already has the first byte.
        case nothing
    }
}
