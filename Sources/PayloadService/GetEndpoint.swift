import Encoding
import FoundationEssentials
import PayloadKey
import Storage

/// `GET /v2/blobs/get`: answers a stored payload. The checks run in the order of the wire contract.
struct GetEndpoint {
    let store: any PayloadStorage

    func respond(to request: ServiceRequest, _ trace: RequestTrace) throws -> ServiceResponse {
        try request.checkContentType()
        let expected = try expectedLength(request)
        let key = try self.key(request)
        trace.subject.namespace = key.namespace
        trace.subject.digest = key.digest
        try Tenancy(request.allowedNamespaces).check(key.namespace)
        guard let payload = try store.open(key, until: trace.deadline) else {
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

    private func deliver(
        _ payload: StoredPayload,
        _ digest: Digest,
        _ request: ServiceRequest,
        _ trace: RequestTrace
    ) throws -> ServiceResponse {
        let etag = "\"\(digest)\""
        let validators = [
            ("ETag", etag),
            ("Repr-Digest", "sha-256=:\(Data(digest.bytes).base64EncodedString()):"),
        ]
        let caching = "private, max-age=31536000, immutable"
        if let field = request.headers.ifMatch, !EntityTag.list(field, names: Array(etag.utf8), weakly: false) {
            return ServiceResponse(Refusal(.preconditionFailed, "the payload's tag is \(etag)"))
        }
        if let field = request.headers.ifNoneMatch, EntityTag.list(field, names: Array(etag.utf8), weakly: true) {
            return ServiceResponse(.notModified, headers: validators + [("Cache-Control", caching)])
        }
        let headers = [("Content-Type", "application/octet-stream")] + validators
        let isRangeMeant = request.headers.ifRange.map { $0.elementsEqual(etag.utf8) } ?? true
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
        switch request.delivery {
        case .redirect(let prefix):
            // The web server sends the payload, handles Range and sets Content-Length. Cache-Control has another name
            // here, because the web server would also send it with its own errors.
            let redirect = try payload.redirect(isRange: part != nil)
            let path = "\(String(decoding: prefix, as: UTF8.self))/\(PercentEncoding.encodePath(redirect.path.utf8))"
            return ServiceResponse(
                .ok,
                headers: headers + [("X-LPS-Cache-Control", caching), ("X-Accel-Redirect", path)] + redirect.headers
            )
        case .stream:
            return stream(payload, part, headers + [("Cache-Control", caching), ("Accept-Ranges", "bytes")])
        }
    }

    private func stream(
        _ payload: StoredPayload,
        _ part: Range<UInt64>?,
        _ headers: [(String, String)]
    ) -> ServiceResponse {
        let range = part ?? 0..<payload.size
        let body = ServiceResponse.Body.produced(UInt64(range.count)) { try payload.read(range, $0) }
        guard part != nil else { return ServiceResponse(.ok, headers: headers, body: body) }
        let described = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(payload.size)"
        return ServiceResponse(.partialContent, headers: headers + [("Content-Range", described)], body: body)
    }
}
