extension S3Client {
    /// Path and query of a GET of an object that needs no header but `Host`. Whoever has it may get the object.
    ///
    /// - Parameter seconds: for how long the engine takes it.
    public func presignedGet(_ key: [UInt8], lifetime seconds: Int) throws(S3Error) -> String {
        let used: Credentials
        do throws(AttemptFailure) {
            used = try currentCredentials("presigned GET of an object")
        } catch {
            throw error.ofEngine
        }
        let path = location.path(of: key)
        let request = SignableRequest(method: "GET", path: path, headers: [("host", location.host)])
        return path + "?" + signer.presign(request, used, lifetime: seconds, at: now())
    }
}
