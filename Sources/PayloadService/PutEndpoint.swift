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
        let namespace = try self.namespace(query)
        trace.subject.namespace = namespace
        try request.tenancy.checkStoring(namespace)
        let digest = try self.digest(query)
        trace.subject.digest = digest
        let key = try PayloadKey(of: metadata(request), digest, in: namespace)
        try checkSpace(for: length, request.body)
        try store.checkQuota(for: length, as: key)
        try trace.enter(.hashing)
        let upload = try verify(request.body, length, digest, trace)
        let outcome = try store.commit(upload, as: key, trace)
        return ServiceResponse(
            outcome == .existed ? .ok : .created,
            headers: [("Content-Type", "application/json")],
            body: .bytes(answer(key))
        )
    }

    private func answer(_ key: PayloadKey) -> [UInt8] {
        var json = Array("{\"Key\":".utf8)
        JSONText.append(key.utf8, to: &json)
        json += "}\n".utf8
        return json
    }

    private func announcedLength(_ request: ServiceRequest) throws -> UInt64 {
        guard let text = request.headers.contentLength else {
            throw Refusal(.lengthRequired, "Content-Length header is required")
        }
        let length: UInt64
        do {
            length = try DecimalNumber.parse(text)
        } catch {
            throw Refusal.badRequest("Content-Length header '\(printable(text))' is invalid: \(error.rawValue)")
        }
        guard length <= maximumPayload else {
            throw Refusal(.contentTooLarge, "payload exceeds max size of \(maximumPayload) bytes")
        }
        return length
    }

    private func namespace(_ query: Query) throws -> Namespace {
        guard let text = query["namespace"] else {
            throw Refusal.badRequest("namespace query parameter is required")
        }
        return try Namespace(named: text)
    }

    private func digest(_ query: Query) throws -> Digest {
        guard let text = query["digest"] else { throw Refusal.badRequest("digest query parameter is required") }
        do {
            return try Digest(parsing: text)
        } catch {
            switch error {
            case .algorithm(let name): throw Refusal.badRequest("invalid hash type '\(printable(name))'")
            case .format(let text): throw Refusal.badRequest("invalid digest format '\(printable(text))'")
            }
        }
    }

    private func metadata(_ request: ServiceRequest) throws -> TemporalMetadata {
        do {
            return try TemporalMetadata(header: Array(request.headers.temporalMetadata ?? []))
        } catch {
            throw Refusal.badRequest(printable("\(error)".utf8))
        }
    }

    private func checkSpace(for length: UInt64, _ body: ServiceRequest.Body) throws {
        switch body {
        // The web server has already written the payload, so it takes no more space.
        case .file: try store.uploads.checkSpace(for: 0, written: length)
        case .stream: try store.uploads.checkSpace(for: length)
        }
    }

    private func verify(
        _ body: ServiceRequest.Body,
        _ length: UInt64,
        _ digest: Digest,
        _ trace: RequestTrace
    ) throws -> VerifiedUpload {
        switch body {
        case .file(let path):
            try store.uploads.verify(uploadAt: Array(path), length: length, digest: digest, onPiece: trace.advance)
        case .stream(let source):
            try store.uploads.receive(from: trace.watching(source), length: length, digest: digest)
        }
    }
}

extension ServiceRequest {
    /// Checks `Content-Type`, for uploads and downloads.
    func checkContentType() throws {
        guard headers.contentType?.equals("application/octet-stream") == true else {
            throw Refusal.badRequest("missing or incorrect Content-Type header")
        }
    }
}

extension Namespace {
    /// Validates the namespace that a request names.
    init(named text: ServiceRequest.Bytes) throws {
        do {
            try self.init(validating: text)
        } catch {
            throw Refusal.badRequest("invalid namespace '\(printable(text))': \(error)")
        }
    }
}

extension PayloadKey {
    /// Makes the key of a payload, with the prefix that its metadata names.
    init(of metadata: TemporalMetadata, _ digest: Digest, in namespace: Namespace) throws {
        let prefix = try metadata.keyPrefix.map { text in
            guard let prefix = KeyPrefix(validating: text) else {
                throw Refusal.badRequest("'\(printable(text))' is not a valid prefix")
            }
            return prefix
        }
        self.init(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadata.hash)
    }
}

extension PayloadStorage {
    /// Commits a verified upload, and counts it in the trace.
    @discardableResult
    func commit(_ upload: VerifiedUpload, as key: PayloadKey, _ trace: RequestTrace) throws -> CommitOutcome {
        trace.bytesIn += upload.size
        try trace.enter(.committing)
        let outcome = try commit(upload, as: key, until: trace.deadline, onPiece: trace.advance)
        trace.committed(outcome)
        return outcome
    }
}
