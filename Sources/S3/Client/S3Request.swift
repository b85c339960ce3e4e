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
    /// When whoever waits for it gives up.
    var deadline = S3Deadline.current
    /// Whether its answer takes as long as whoever reads it: the deadline is for its begin then.
    var isStreamed = false
}
