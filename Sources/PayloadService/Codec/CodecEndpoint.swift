import Encoding
import PayloadKey
import Storage

/// Temporal's codec server (docs.temporal.io/codec-server): turns large payloads into references and back, for the
/// `temporal` command line and the Web UI. Applies the rules of the codec (``PayloadReference``) to the store directly.
struct CodecEndpoint {
    let store: any PayloadStorage
    /// Bytes.
    let maximumPayload: UInt64
    let limits: CodecLimits

    func respond(to request: ServiceRequest, _ path: CodecPath, _ trace: RequestTrace) throws -> ServiceResponse {
        let namespace = try self.namespace(request, path)
        trace.subject.namespace = namespace
        let tenancy = Tenancy(request.allowedNamespaces)
        if let namespace { try tenancy.check(namespace) }
        try trace.enter(.parsing)
        let body = try CodecBody(try upload(request, path, trace))
        try trace.enter(.checking)
        if path.operation != .encode { try body.checkReferences() }
        var answer = CodecAnswer()
        for (index, payload) in body.payloads.enumerated() {
            try namingPayload(index) {
                try trace.advance()
                switch path.operation {
                case .encode: try encode(payload, of: body, namespace, trace, into: &answer)
                case .decode: try decode(payload, of: body, at: index, tenancy, request, trace, into: &answer)
                case .download: try download(payload, of: body, tenancy, trace, into: &answer)
                }
            }
        }
        if path.operation != .encode { trace.bytesOut += answer.length }
        return answer.response(body.upload, store, until: trace.deadline)
    }

    /// The namespace of the path, or else of the header.
    private func namespace(_ request: ServiceRequest, _ path: CodecPath) throws(Refusal) -> Namespace? {
        guard let text = path.namespace ?? request.headers.namespace else {
            guard path.operation != .encode else {
                throw .badRequest("namespace is required, in the path or in the header X-Namespace")
            }
            return nil
        }
        return try Namespace(named: text)
    }

    private func upload(_ request: ServiceRequest, _ path: CodecPath, _ trace: RequestTrace) throws -> Upload {
        let upload: Upload
        switch request.body {
        case .file(let path):
            upload = try store.uploads.open(uploadAt: path)
        case .stream(let source):
            if path.operation == .encode { try store.uploads.checkSpace(for: 0) }
            upload = try store.uploads.spool(
                from: { buffer in
                    try trace.advance()
                    return try source(buffer)
                },
                limit: maximumPayload
            )
        }
        guard upload.size <= maximumPayload else {
            throw Refusal(.contentTooLarge, "body exceeds max size of \(maximumPayload) bytes")
        }
        return upload
    }

    // MARK: Encode

    private func encode(
        _ payload: CodecBody.Payload,
        of body: CodecBody,
        _ namespace: Namespace?,
        _ trace: RequestTrace,
        into answer: inout CodecAnswer
    ) throws {
        let isLarge = SerializedSize.ofPayload(payload.metadata, dataSize: payload.size) > limits.minimumSize
        guard isLarge, let namespace else { return answer.addUnchanged(payload) }
        let key = PayloadKey(
            namespace: namespace,
            prefix: try KeyPrefix(of: payload.metadata),
            digest: payload.digest,
            metadataHash: payload.metadata.hash
        )
        let reference = PayloadReference(
            metadata: payload.metadata,
            size: payload.size,
            digest: payload.digest,
            key: key.utf8
        )
        guard answer.addReference(reference.json) else {
            throw Refusal.badRequest("the answer's references would have over \(CodecBody.maximumInMemory) bytes")
        }
        try store.uploads.checkSpace(for: payload.size)
        try store.checkQuota(for: payload.size, as: key)
        try trace.enter(.hashing)
        let upload = try store.uploads.receive(length: payload.size, digest: payload.digest) { take in
            try body.read(payload, take)
        }
        trace.bytesIn += upload.size
        try trace.enter(.committing)
        trace.committed(try store.commit(upload, as: key, until: trace.deadline, onPiece: trace.advance))
    }

    // MARK: Decode

    private func decode(
        _ payload: CodecBody.Payload,
        of body: CodecBody,
        at index: Int,
        _ tenancy: Tenancy,
        _ request: ServiceRequest,
        _ trace: RequestTrace,
        into answer: inout CodecAnswer
    ) throws {
        guard let reference = try reference(payload, of: body) else { return answer.addUnchanged(payload) }
        let (key, stored) = try find(reference, tenancy, trace)
        let isTooLong = answer.length + CodecAnswer.length(of: reference) > limits.answerLimit
        if Query(request.query).preservesStorageReferences {
            if isTooLong || reference.size > limits.displayLimit {
                return answer.addStorageReference(reference)
            }
        } else if isTooLong {
            return answer.addPlaceholder(reference, at: index, limit: limits.answerLimit)
        }
        // A request may have many references to one large payload, which is read for its digest only once.
        if !answer.stored.contains(key) { try stored.check(key.digest, onPiece: trace.advance) }
        answer.addStored(reference, key)
    }

    private func download(
        _ payload: CodecBody.Payload,
        of body: CodecBody,
        _ tenancy: Tenancy,
        _ trace: RequestTrace,
        into answer: inout CodecAnswer
    ) throws {
        guard let reference = try reference(payload, of: body) else {
            throw Refusal.badRequest("it is no reference to a large payload, so there is nothing to download")
        }
        let (key, stored) = try find(reference, tenancy, trace)
        // One payload may be as large as it is; many must not hold a thread for minutes.
        guard answer.stored.isEmpty || answer.length + CodecAnswer.length(of: reference) <= limits.answerLimit else {
            throw Refusal.badRequest("the answer would have over \(limits.answerLimit) bytes, download fewer at once")
        }
        // A request may have many references to one large payload, which is read for its digest only once.
        if !answer.stored.contains(key) { try stored.check(key.digest, onPiece: trace.advance) }
        answer.addStored(reference, key)
    }

    private func reference(_ payload: CodecBody.Payload, of body: CodecBody) throws -> PayloadReference? {
        guard try PayloadReference.isCarried(by: payload.metadata) else { return nil }
        var json: [UInt8] = []
        try body.read(payload) { json += $0 }
        return try PayloadReference(parsing: json)
    }

    /// The stored payload that a reference leads to, when the caller may have it and it is what the reference says.
    private func find(
        _ reference: PayloadReference,
        _ tenancy: Tenancy,
        _ trace: RequestTrace
    ) throws -> (PayloadKey, StoredPayload) {
        guard let key = PayloadKey(parsing: reference.key) else { throw Refusal.badRequest("blob not found") }
        try tenancy.check(key.namespace)
        guard key.digest == reference.digest else {
            throw Refusal.badRequest("its digest \(reference.digest) is not the one of its key \(printable(key.utf8))")
        }
        guard let stored = try store.open(key, until: trace.deadline) else {
            throw Refusal.badRequest("blob not found")
        }
        guard stored.size == reference.size else {
            throw Refusal.badRequest("payload has \(stored.size) bytes, expected \(reference.size)")
        }
        return (key, stored)
    }
}

extension Query {
    /// Whether the client can show a reference and download what it leads to; the Web UI can.
    fileprivate var preservesStorageReferences: Bool {
        self["preserveStorageRefs"].map { String(decoding: $0, as: UTF8.self).lowercased() } == "true"
    }
}

extension CodecAnswer {
    /// Adds a reference in the shape of Temporal's own external storage (`temporal.api.sdk.v1.ExternalStorageReference`),
    /// beside which the Web UI offers a download. It then asks for the payload as it stands in the history.
    fileprivate mutating func addStorageReference(_ reference: PayloadReference) {
        let key = JSONText.string(String(decoding: reference.key, as: UTF8.self).unicodeScalars)
        add(
            TemporalMetadata([
                (Array("encoding".utf8), Array("json/protobuf".utf8)),
                (Array("messageType".utf8), Array("temporal.api.sdk.v1.ExternalStorageReference".utf8)),
            ]),
            data: "{\"driverName\":\"large-payload-service\",\"claimData\":{\"size\":\"\(reference.size)\","
                + "\"digest\":\"\(reference.digest)\",\"key\":\(key)}}",
            more: ",\"externalPayloads\":[{\"sizeBytes\":\"\(reference.size)\"}]"
        )
    }
}
