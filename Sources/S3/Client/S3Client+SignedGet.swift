/// A request that someone else is to send just so.
public struct SignedRequest: Sendable {
    /// The path with the query, as it goes on the wire.
    public let target: String
    /// Header fields, `host` among them, with names in lower case. Any others may be sent with them.
    public let headers: [(name: String, value: String)]
}

extension S3Client {
    /// A GET of an object, signed. Whoever has it may get the object for a quarter of an hour, or as long as the engine lets
    /// clocks differ.
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
