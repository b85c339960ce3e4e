extension S3Client {
    /// What an answer says that is no success.
    func refusal(_ answer: S3Answer) -> S3Error {
        let status = answer.status
        let error = answer.error
        let code = error?.code ?? ""
        var text = "\(status)"
        if !code.isEmpty { text += " \(code)" }
        if let message = error?.message, !message.isEmpty { text += ": \(message)" }
        if !answer.signature.isEmpty, text.contains(answer.signature) { text = "\(status)" }

        func refused(_ code: S3Error.Code, mayPass: Bool = false, _ remedy: S3Error.Remedy = .none) -> S3Error {
            failure(code, answer.operation, text, mayPass: mayPass, remedy)
        }
        if Self.fullCodes.contains(code) || status == 507 { return refused(.full) }
        if Self.busyCodes.contains(code) || Self.busyStatuses.contains(status) {
            return refused(.unavailable, mayPass: true, .again(after: answer.retryAfter(now())))
        }
        switch code {
        case "NoSuchBucket": return refused(.noSuchBucket)
        case "NoSuchKey": return refused(.noSuchKey)
        case "RequestTimeTooSkewed":
            text += skew(answer, error)
            return refused(.clockSkew)
        case "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId",
            "InvalidClientTokenId":
            return refused(.credentials, .otherCredentials(than: answer.credentials))
        case "SignatureDoesNotMatch": return refused(.credentials)
        case "BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch":
            return refused(.badDigest)
        case "AccessDenied", "AllAccessDisabled", "AccountProblem": return refused(.accessDenied)
        default: break
        }
        if let region = answer.head["x-amz-bucket-region"] ?? error?.region, !region.isEmpty, region != location.region
        {
            text += " (the bucket's region is \(region), requests are for \(location.region))"
        }
        if error == nil {
            if status == 401 || status == 403 { return refused(.accessDenied) }
            // A wrong endpoint, or a proxy before the right one; nothing is known of the object.
            text += " without an S3 error: is this an S3 endpoint?"
            return refused(.malformedAnswer)
        }
        return refused(.refused)
    }

    /// What passes by itself, whatever the status.
    static let busyCodes: Set = [
        "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "IncompleteBody", "OperationAborted",
        "ConditionalRequestConflict", "Busy", "RequestLimitExceeded", "Throttling", "ThrottlingException",
        "RequestThrottled", "TooManyRequests",
    ]
    static let busyStatuses: Set = [408, 425, 429, 500, 502, 503, 504]
    /// An engine that can't do what it should: not one that has no such operation, or no room.
    static let failureStatuses: Set = [500, 502, 503, 504]
    /// A quota, or the engine's own disks: Ceph, Ozone and Versity; MinIO.
    private static let fullCodes: Set = ["QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull"]

    private func skew(_ answer: S3Answer, _ error: ErrorAnswer?) -> String {
        guard let engine = error.flatMap({ unixSeconds(ofTimestamp: $0.serverTime) }) ?? answer.head.date("date") else {
            return ""
        }
        let seconds = answer.signedAt - engine
        return " (this machine's clock is \(abs(seconds)) s \(seconds < 0 ? "behind" : "ahead of") the engine's)"
    }
}

extension S3Answer {
    /// What the engine asked to wait: seconds or a date (RFC 9110 section 10.2.3).
    func retryAfter(_ now: Int) -> Duration {
        let longest = 24 * 60 * 60
        if let seconds = head.number("retry-after") { return .seconds(min(seconds, UInt64(longest))) }
        return head.date("retry-after").map { .seconds(min(max(0, $0 - now), longest)) } ?? .zero
    }
}
