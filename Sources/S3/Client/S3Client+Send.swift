extension S3Client {
    static let longestErrorBody = 1024 * 1024
    static let longestPage = 4 * 1024 * 1024

    /// Signs a request, sends it once, and keeps the answer's body, up to so much.
    func send(
        _ request: S3Request,
        keeping limit: Int = longestErrorBody,
        onPiece: () throws -> Void = {}
    ) throws(AttemptFailure) -> S3Answer {
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
    ) throws(AttemptFailure) -> S3Answer {
        let used = try currentCredentials(request.operation)
        let limits = try limits(of: request)
        guard let turn = outage.begin() else {
            let error = failure(.unavailable, request.operation, "the engine has failed for some time", mayPass: true)
            throw .engine(error, .none)
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
        signer.sign(&signed, payloadHash: request.payloadHash, used, at: signedAt)
        let query = signed.canonicalQuery
        let wire = HTTPRequest(
            method: request.method,
            url: location.origin + request.path + (query.isEmpty ? "" : "?\(query)"),
            headers: signed.headers,
            body: request.body
        )
        let body = BodyBuffer(limit: limit)
        var head = AnswerHead()
        do {
            head = try perform(wire, limits, onPiece) { head, piece in
                if let reception = try take(head, piece) { return reception }
                return body.take(piece)
            }
        } catch let error as TransportError {
            // An engine may refuse a body without reading it to its end.
            guard error.head.status == 412 else { throw failed(request.operation, error) }
            head = error.head
        } catch {
            isEngineFailing = false
            throw .caller(error)
        }
        isEngineFailing = Self.failureStatuses.contains(head.status)
        let signature = signed.headers.last { $0.name == "authorization" }?.value.split(separator: "=").last ?? ""
        return S3Answer(head: head, body: body, credentials: used, signature: String(signature), signedAt: signedAt)
    }

    private func limits(of request: S3Request) throws(AttemptFailure) -> S3Limits {
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
            let error = failure(.unavailable, request.operation, "the time for it is over", mayPass: true)
            throw .engine(error, .none)
        }
        if request.deadline == .firstByte {
            limits.stallTime = min(left, limits.stallTime)
        } else {
            // Rounded down, none would be no limit.
            limits.total = max(min(left, limits.total ?? left), .milliseconds(1))
        }
        return limits
    }

    private func perform(
        _ request: HTTPRequest,
        _ limits: S3Limits,
        _ onPiece: () throws -> Void,
        _ receive: (AnswerHead, UnsafeRawBufferPointer) throws -> Exchange.Reception
    ) throws -> AnswerHead {
        try withoutActuallyEscaping(onPiece) { onPiece in
            try withoutActuallyEscaping(receive) { receive in
                let exchange = Exchange(body: request.body, onPiece: onPiece, receive: receive)
                try HTTPHandle.perform(request, limits, exchange)
                return exchange.head
            }
        }
    }

    private func failed(_ operation: String, _ error: TransportError) -> AttemptFailure {
        let (code, mayPass): (S3Error.Code, Bool) =
            switch error.kind {
            case .unavailable: (.unavailable, true)
            case .cutOff: (.cutOff, true)
            case .malformed: (.malformedAnswer, false)
            case .permanent: (.unavailable, false)
            }
        return .engine(
            failure(code, operation, error.description, mayPass: mayPass),
            mayPass ? .again(after: .zero) : .none
        )
    }
}
