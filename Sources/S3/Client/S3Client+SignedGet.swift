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
    public func signedGet(_ key: [UInt8]) throws(S3Error) -> SignedRequest {
        let used = try throwingS3Errors { try currentCredentials("signed GET of an object") }
        let path = location.path(of: key)
        var request = SignableRequest(method: "GET", path: path, headers: [("host", location.host)])
        signer.sign(&request, payloadHash: SigV4Signer.emptyPayloadHash, used, at: now())
        return SignedRequest(target: path, headers: request.headers)
    }
}
