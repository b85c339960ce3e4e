import Encoding
import PayloadKey
import Storage

/// `PUT /v2/blobs/put`: verifies an upload and stores it. The checks run in the order of the wire contract.
struct PutEndpoint {
    let store: any PayloadStorage
    /// Bytes.
    let maximumPayload: UInt64

    func respond(to request: ServiceRequest, _ trace: RequestTrace) throws -> ServiceResponse {
        try request.checkContentType()
        let length = try announcedLength(request)
        let query = Query(request.query)
        let namespace = try self.namespace(query, of: request, trace)
        let digest = try self.digest(query, trace)
        let metadata = try self.metadata(request)
        let key = PayloadKey(
            namespace: namespace,
            prefix: try KeyPrefix(of: metadata),
            digest: digest,
            metadataHash: metadata.hash
        )
        try checkRoom(for: length, as: key, request.body)
        try trace.enter(.hashing)
        let upload = try verify(request.body, length, digest, trace)
        trace.bytesIn += upload.size
        try trace.enter(.committing)
        let outcome = try store.commit(upload, as: key, until: trace.deadline, onPiece: trace.advance)
        trace.committed(outcome)
        return ServiceResponse(
            outcome == .existed ? .ok : .created,
            headers: [("Content-Type", "application/json")],
            body: .bytes(Array("{\"Key\":\(JSONText.string(key.description.unicodeScalars))}\n".utf8))
        )
    }

    private func announcedLength(_ request: ServiceRequest) throws(Refusal) -> UInt64 {
        guard let text = request.headers.contentLength else {
            throw Refusal(.lengthRequired, "Content-Length header is required")
        }
        let length: UInt64
        do {
            length = try DecimalNumber.parse(text)
        } catch {
            throw .badRequest("Content-Length header '\(printable(text))' is invalid: \(error.rawValue)")
        }
        guard length <= maximumPayload else {
            throw Refusal(.contentTooLarge, "payload exceeds max size of \(maximumPayload) bytes")
        }
        return length
    }

    private func namespace(
        _ query: Query,
        of request: ServiceRequest,
        _ trace: RequestTrace
    ) throws(Refusal) -> Namespace {
        guard let text = query["namespace"] else { throw .badRequest("namespace query parameter is required") }
        let namespace = try Namespace(named: text)
        trace.subject.namespace = namespace
        try Tenancy(request.allowedNamespaces).check(namespace)
        return namespace
    }

    private func digest(_ query: Query, _ trace: RequestTrace) throws(Refusal) -> Digest {
        guard let text = query["digest"] else { throw .badRequest("digest query parameter is required") }
        let digest: Digest
        do {
            digest = try Digest(parsing: text)
        } catch {
            switch error {
            case .algorithm(let name): throw .badRequest("invalid hash type '\(printable(name))'")
            case .format(let text): throw .badRequest("invalid digest format '\(printable(text))'")
            }
        }
        trace.subject.digest = digest
        return digest
    }

    private func metadata(_ request: ServiceRequest) throws(Refusal) -> TemporalMetadata {
        do {
            return try TemporalMetadata(header: request.headers.temporalMetadata ?? [])
        } catch {
            throw .badRequest(printable("\(error)".utf8))
        }
    }

    private func checkRoom(
        for length: UInt64,
        as key: PayloadKey,
        _ body: ServiceRequest.Body
    ) throws {
        switch body {
        // The web server has written the payload already: what is free now is what stays free.
        case .file: try store.uploads.checkSpace(for: 0)
        case .stream: try store.uploads.checkSpace(for: length)
        }
        try store.checkQuota(for: length, as: key)
    }

    private func verify(
        _ body: ServiceRequest.Body,
        _ length: UInt64,
        _ digest: Digest,
        _ trace: RequestTrace
    ) throws -> VerifiedUpload {
        switch body {
        case .file(let path):
            return try store.uploads.verify(uploadAt: path, length: length, digest: digest, onPiece: trace.advance)
        case .stream(let source):
            return try store.uploads.receive(
                from: { buffer in
                    try trace.advance()
                    return try source(buffer)
                },
                length: length,
                digest: digest
            )
        }
    }
}

extension ServiceRequest {
    /// The check of `Content-Type` that both endpoints make.
    func checkContentType() throws(Refusal) {
        guard headers.contentType?.elementsEqual("application/octet-stream".utf8) == true else {
            throw .badRequest("missing or incorrect Content-Type header")
        }
    }
}

extension Namespace {
    /// The namespace that a request names.
    init(named text: [UInt8]) throws(Refusal) {
        do {
            try self.init(validating: text)
        } catch {
            throw .badRequest("invalid namespace '\(printable(text))': \(error)")
        }
    }
}

extension KeyPrefix {
    /// The prefix that a payload's metadata asks for; `nil` when it asks for none.
    init?(of metadata: TemporalMetadata) throws(Refusal) {
        guard let text = metadata.keyPrefix else { return nil }
        guard let prefix = KeyPrefix(validating: text) else {
            throw .badRequest("'\(printable(text))' is not a valid prefix")
        }
        self = prefix
    }
}
