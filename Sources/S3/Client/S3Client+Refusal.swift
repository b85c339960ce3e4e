extension S3Client {
    /// The error for an unsuccessful answer.
    func refusal(_ answer: S3Answer) -> S3Error {
        let error = answer.error
        let code = Self.code(answer.status, error)
        var text = "\(answer.status)"
        if let error { text += " \(error.code)" }
        if let message = error?.message, !message.isEmpty { text += ": \(message)" }
        if !answer.signature.isEmpty, text.contains(answer.signature) { text = "\(answer.status)" }
        var remedy: S3Error.Remedy?
        switch code {
        case .unavailable: remedy = .again(after: answer.retryAfter(now()))
        case .clockSkew: text += skew(answer, error)
        case .credentials where error?.code != "SignatureDoesNotMatch":
            remedy = .otherCredentials(than: answer.credentials)
        case .refused, .accessDenied, .malformedAnswer:
            let region = answer.head["x-amz-bucket-region"] ?? error?.region ?? ""
            if !region.isEmpty, region != location.region {
                text += " (the bucket's region is \(region), requests are signed for \(location.region))"
            }
            // A wrong endpoint, or a proxy in front of the right one: the answer says nothing about the object.
            if code == .malformedAnswer { text += " without an S3 error: is this an S3 endpoint?" }
        default: break
        }
        return failure(code, answer.operation, text, mayPass: code == .unavailable, remedy)
    }

    private static func code(_ status: Int, _ error: ErrorAnswer?) -> S3Error.Code {
        let named = error.flatMap { error in names.first { $0.names.contains(error.code) }?.code }
        if named == .full || status == 507 { return .full }
        if named == .unavailable || busyStatuses.contains(status) { return .unavailable }
        if let named { return named }
        if error != nil { return .refused }
        return status == 401 || status == 403 ? .accessDenied : .malformedAnswer
    }

    /// The error codes that engines use.
    private static let names: [(code: S3Error.Code, names: Set<String>)] = [
        // A quota is used up, or the engine's disks are full: codes of Ceph, Ozone, Versity and MinIO.
        (.full, ["QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull"]),
        // Temporary errors, whatever the status.
        (
            .unavailable,
            [
                "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "IncompleteBody",
                "OperationAborted",
                "ConditionalRequestConflict", "Busy", "RequestLimitExceeded", "Throttling", "ThrottlingException",
                "RequestThrottled", "TooManyRequests",
            ]
        ),
        (.noSuchBucket, ["NoSuchBucket"]),
        (.noSuchKey, ["NoSuchKey"]),
        (.clockSkew, ["RequestTimeTooSkewed"]),
        (
            .credentials,
            [
                "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId",
                "InvalidClientTokenId", "SignatureDoesNotMatch",
            ]
        ),
        (.badDigest, ["BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"]),
        (.accessDenied, ["AccessDenied", "AllAccessDisabled", "AccountProblem"]),
    ]
    static let busyStatuses: Set = [408, 425, 429, 500, 502, 503, 504]
    /// Statuses that count as a failing engine. 501 (unsupported operation) and 507 (no space) do not.
    static let failureStatuses: Set = [500, 502, 503, 504]

    private func skew(_ answer: S3Answer, _ error: ErrorAnswer?) -> String {
        guard let engine = error.flatMap({ unixSeconds(ofTimestamp: $0.serverTime) }) ?? answer.head.date("date") else {
            return ""
        }
        let seconds = answer.signedAt - engine
        return " (this machine's clock is \(abs(seconds)) s \(seconds < 0 ? "behind" : "ahead of") the engine's)"
    }
}

extension S3Answer {
    /// The pause that the engine asked for: seconds or a date (RFC 9110 section 10.2.3).
    func retryAfter(_ now: Int) -> Duration {
        let longest = 24 * 60 * 60
        if let seconds = head.number("retry-after") { return .seconds(min(seconds, UInt64(longest))) }
        return head.date("retry-after").map { .seconds(min(max(0, $0 - now), longest)) } ?? .zero
    }
}
