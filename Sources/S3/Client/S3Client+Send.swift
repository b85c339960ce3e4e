import HTTP

extension S3Client {
    static let longestErrorBody = 1024 * 1024
    static let longestPage = 4 * 1024 * 1024

    /// Signs a request and sends it once.
    ///
    /// - Parameters:
    ///   - limit: the most bytes of the answer's body to keep.
    ///   - take: receives each piece of the answer's body, or returns `nil` to keep it.
    ///   - onPiece: called before each piece of the request's body.
    func send(
        _ request: S3Request,
        keeping limit: Int = longestErrorBody,
        _ take: (AnswerHead, UnsafeRawBufferPointer) throws -> Exchange.Reception? = { _, _ in nil },
        onPiece: () throws -> Void = {}
    ) throws -> S3Answer {
        let used = try currentCredentials(request.operation)
        let limits = try limits(of: request)
        guard let turn = outage.begin() else {
            throw failure(
                .unavailable,
                request.operation,
                "the engine has been failing for some time",
                mayPass: true,
                .giveUp
            )
        }
        var isEngineFailing = true
        defer { outage.end(turn, isFailure: isEngineFailing) }
        let signedAt = now()
        var request = request
        request.headers.insert(("host", location.host), at: 0)
        let signature = signer.sign(&request, used, at: signedAt)
        let query = request.canonicalQuery
        let wire = HTTPRequest(
            method: request.method,
            url: location.origin + request.path + (query.isEmpty ? "" : "?\(query)"),
            headers: request.headers,
            body: request.body
        )
        let body = BodyBuffer(limit: limit)
        var head: AnswerHead
        do {
            head = try connections.perform(wire, limits, onPiece: onPiece) { head, piece in
                try take(head, piece) ?? body.take(piece)
            }
        } catch let error as TransportError {
            // An engine may refuse an upload before it has read the whole body.
            guard error.head.status == 412 else {
                throw failure(S3Error.Code(error.code), request.operation, error.description, mayPass: error.mayPass)
            }
            head = error.head
        } catch {
            isEngineFailing = false
            // The caller's closure failed. Its error may come from another request, whose remedy does not apply to this
            // one.
            guard var other = error as? S3Error else { throw error }
            other.remedy = .giveUp
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

    private func limits(of request: S3Request) throws -> RequestLimits {
        var limits = limits.request
        if let stallTime = request.stallTime { limits.stallTime = max(stallTime, limits.stallTime) }
        if let total = request.total { limits.total = min(total, limits.total ?? total) }
        if outage.isOn {
            limits.connectTimeout = min(limits.connectTimeout, Outage.connectTimeout)
            limits.stallTime = min(limits.stallTime, Outage.stallTime)
        }
        guard let deadline, request.deadline != .nothing else { return limits }
        let left = ContinuousClock.now.duration(to: deadline)
        guard left > .zero else {
            throw failure(.unavailable, request.operation, "the deadline has passed", mayPass: true, .giveUp)
        }
        if request.deadline == .firstByte {
            limits.stallTime = min(left, limits.stallTime)
        } else {
            // libcurl takes 0 ms as no limit.
            limits.total = max(min(left, limits.total ?? left), .milliseconds(1))
        }
        return limits
    }
}

extension S3Error.Code {
    init(_ code: TransportError.Code) {
        switch code {
        case .unavailable: self = .unavailable
        case .cutOff: self = .cutOff
        case .malformedAnswer: self = .malformedAnswer
        }
    }
}
