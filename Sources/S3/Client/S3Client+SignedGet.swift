/// A signed request for another program to send unchanged.
public struct SignedRequest: Sendable {
    /// The path and query, percent-encoded.
    public let target: String
    /// The signed header fields, including `host`, with names in lower case. The sender may add others.
    public let headers: [(name: String, value: String)]
}

extension S3Client {
    /// A signed GET of an object. Anyone who has it can read the object for a quarter of an hour, or for the clock
    /// difference that the engine allows.
    ///
    /// - Throws: ``S3Error`` with code `credentials`.
    public func signedGet(_ key: [UInt8]) throws -> SignedRequest {
        let operation = "signed GET of an object"
        let used = try currentCredentials(operation)
        let host = [(name: "host", value: location.host)]
        var request = S3Request(operation: operation, method: "GET", path: location.path(of: key), headers: host)
        signer.sign(&request, used, at: now())
        return SignedRequest(target: request.path, headers: request.headers)
    }
}
