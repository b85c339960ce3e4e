extension S3Client {
    static let longestErrorBody = 1024 * 1024
    static let longestPage = 4 * 1024 * 1024

    /// Signs a request, sends it once, and keeps the answer's body, up to so much.
    func send(
        _ request: S3Request,
        keeping limit: Int = longestErrorBody,
        onPiece: () throws -> Void = {}
    ) throws -> S3Answer {
        try send(request, keeping: limit, onPiece: onPiece) { _, _ in nil }
    }

    /// Signs a request and sends it once.
    ///
    /// - Parameter take: takes a piece of the answer's body; `nil` leaves it to be kept, for an error.
    func send(
        _ request: S3Request,
        keeping limit: Int = longestErrorBody,
        onPiece: () throws -> Void = {},
        _ take: (AnswerHead, UnsafeRawBufferPointer) throws -> Exchange.Reception?
    ) throws -> S3Answer {
        let used = try currentCredentials(request.operation)
        let limits = try limits(of: request)
        guard let turn = outage.begin() else {
            throw failure(.unavailable, request.operation, "the engine has failed for some time", mayPass: true)
        }
        var isEngineFailing = true
        defer { outage.end(turn, isFailure: isEngineFailing) }
        let signedAt = now()
        var signed = SignableRequest(
            method: request.method,
            path: request.path,
            query: request.query,
            headers: [("host", location.host)] + request.headers
        )
        let signature = signer.sign(&signed, payloadHash: request.payloadHash, used, at: signedAt)
        let query = signed.canonicalQuery
        let wire = HTTPRequest(
            method: request.method,
            url: location.origin + request.path + (query.isEmpty ? "" : "?\(query)"),
            headers: signed.headers,
            body: request.body
        )
        let body = BodyBuffer(limit: limit)
        var head: AnswerHead
        do {
            head = try HTTPHandle.perform(wire, limits, onPiece: onPiece) { head, piece in
                try take(head, piece) ?? body.take(piece)
            }
        } catch let error as TransportError {
            // An engine may refuse a body without reading it to its end.
            guard error.head.status == 412 else {
                let remedy: S3Error.Remedy = error.mayPass ? .again() : .none
                throw failure(error.code, request.operation, error.description, mayPass: error.mayPass, remedy)
            }
            head = error.head
        } catch {
            isEngineFailing = false
            // The caller's own: a failure of another request of its is not one of this.
            guard var other = error as? S3Error else { throw error }
            other.remedy = .none
            throw other
        }
        isEngineFailing = Self.failureStatuses.contains(head.status)
        return S3Answer(
            operation: request.operation,
            head: head,
            body: body,
            credentials: used,
            signature: signature,
            signedAt: signedAt
        )
    }

    private func limits(of request: S3Request) throws -> S3Limits {
        var limits = limits
        if let stallTime = request.stallTime { limits.stallTime = max(stallTime, limits.stallTime) }
        if let total = request.total { limits.total = min(total, limits.total ?? total) }
        if outage.isOn {
            limits.connectTimeout = min(limits.connectTimeout, Outage.connectTimeout)
            limits.stallTime = min(limits.stallTime, Outage.stallTime)
        }
        guard let deadline, request.deadline != .nothing else { return limits }
        let left = ContinuousClock.now.duration(to: deadline)
        guard left > .zero else {
            throw failure(.unavailable, request.operation, "the time for it is over", mayPass: true)
        }
        if request.deadline == .firstByte {
            limits.stallTime = min(left, limits.stallTime)
        } else {
            // Rounded down, none would be no limit.
            limits.total = max(min(left, limits.total ?? left), .milliseconds(1))
        }
        return limits
    }
}
