import Encoding
import PayloadKey
import Storage

/// `GET /v2/blobs/get`: answers a stored payload. The checks run in the order of the wire contract.
struct GetEndpoint {
    private static let caching = "private, max-age=31536000, immutable"

    let store: any PayloadStorage

    func respond(to request: ServiceRequest, _ trace: RequestTrace) throws -> ServiceResponse {
        try request.checkContentType()
        let expected = try expectedLength(request)
        let key = try self.key(request)
        trace.subject.namespace = key.namespace
        trace.subject.digest = key.digest
        try request.tenancy.checkReading(key.namespace)
        guard let payload = try find(key, for: request.delivery, until: trace.deadline) else {
            throw Refusal(.notFound, "blob not found")
        }
        guard payload.size == expected else {
            throw Refusal(.preconditionFailed, "payload has \(payload.size) bytes, expected \(expected)")
        }
        return try deliver(payload, key.digest, request, trace)
    }

    private func expectedLength(_ request: ServiceRequest) throws(Refusal) -> UInt64 {
        guard let text = request.headers.expectedContentLength else {
            throw .badRequest("expected content length header is required")
        }
        do {
            return try DecimalNumber.parse(text)
        } catch {
            throw .badRequest("expected content length header \(printable(text)) is invalid: \(error.rawValue)")
        }
    }

    private func key(_ request: ServiceRequest) throws(Refusal) -> PayloadKey {
        guard let text = Query(request.query)["key"] else { throw .badRequest("key query parameter is required") }
        // Some clients escape the key twice.
        guard let key = PayloadKey(parsing: text) ?? PayloadKey(parsing: PercentEncoding.decodeQueryValue(text)) else {
            throw Refusal(.notFound, "blob not found")
        }
        return key
    }

    /// A payload that exists.
    private enum Found {
        /// The web server sends it from there, below its internal location.
        case location(any PayloadLocation, prefix: ServiceRequest.Bytes)
        case content(StoredPayload)

        var size: UInt64 {
            switch self {
            case .location(let location, _): location.size
            case .content(let content): content.size
            }
        }
    }

    private func find(
        _ key: PayloadKey,
        for delivery: ServiceRequest.Delivery,
        until deadline: ContinuousClock.Instant?
    ) throws -> Found? {
        switch delivery {
        case .redirect(let prefix): try store.locate(key, until: deadline).map { .location($0, prefix: prefix) }
        case .stream: try store.open(key, until: deadline).map(Found.content)
        }
    }

    private func deliver(
        _ payload: Found,
        _ digest: Digest,
        _ request: ServiceRequest,
        _ trace: RequestTrace
    ) throws -> ServiceResponse {
        let etag = EntityTag.of(digest)
        if let field = request.headers.ifMatch, !EntityTag.list(field, names: etag, weakly: false) {
            return ServiceResponse(Refusal(.preconditionFailed, "the payload's tag is \"\(digest)\""))
        }
        if let field = request.headers.ifNoneMatch, EntityTag.list(field, names: etag, weakly: true) {
            var response = ServiceResponse(.notModified)
            response.addValidators(digest, etag)
            response.add("Cache-Control", Self.caching)
            return response
        }
        let isRangeMeant = request.headers.ifRange.map { $0.elementsEqual(etag) } ?? true
        let part: Range<UInt64>?
        switch ByteRange(isRangeMeant ? request.headers.range : nil, size: payload.size) {
        case .whole: part = nil
        case .part(let range): part = range
        case .unsatisfiable:
            return ServiceResponse(
                Refusal(
                    .rangeNotSatisfiable,
                    "range is outside the payload's \(payload.size) bytes",
                    headers: [("Content-Range", "bytes */\(payload.size)")]
                )
            )
        }
        trace.bytesOut += part.map { UInt64($0.count) } ?? payload.size
        var response = ServiceResponse(.ok)
        response.add("Content-Type", "application/octet-stream")
        response.addValidators(digest, etag)
        switch payload {
        case .location(let location, let prefix):
            // The web server sends the payload, handles Range and sets Content-Length. Cache-Control has another name
            // here, because the web server would also send it with its own errors.
            response.add("X-LPS-Cache-Control", Self.caching)
            response.add(try location.redirect(isRange: part != nil), below: prefix)
        case .content(let content):
            response.add("Cache-Control", Self.caching)
            response.add("Accept-Ranges", "bytes")
            stream(content, part, in: &response)
        }
        return response
    }

    private func stream(_ payload: StoredPayload, _ part: Range<UInt64>?, in response: inout ServiceResponse) {
        let range = part ?? 0..<payload.size
        response.body = .produced(UInt64(range.count)) { try payload.read(range, $0) }
        guard part != nil else { return }
        response.status = .partialContent
        response.add("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(payload.size)")
    }
}

extension ServiceResponse {
    /// Adds what identifies a payload's content.
    fileprivate mutating func addValidators(_ digest: Digest, _ etag: [UInt8]) {
        add("ETag") { $0 += etag }
        add("Repr-Digest") { value in
            value.append("sha-256=:")
            StandardBase64.append(digest.bytes, to: &value)
            value.append(UInt8(ascii: ":"))
        }
    }

    /// Adds the instruction to send a payload from a path below the web server's internal location.
    fileprivate mutating func add(_ redirect: InternalRedirect, below prefix: ServiceRequest.Bytes) {
        add("X-Accel-Redirect") { path in
            path += prefix
            path.append(UInt8(ascii: "/"))
            redirect.path.utf8Span.span.withUnsafeBufferPointer { PercentEncoding.append(path: $0, to: &path) }
        }
        for (name, value) in redirect.headers { add(name, value) }
    }
}
