import Encoding
import PayloadKey
import Storage

/// Encodes, decodes or downloads the payloads of one request to the codec server.
struct CodecWork {
    let store: any PayloadStorage
    let limits: CodecLimits
    let body: CodecBody
    /// The namespace to store payloads in; `nil` if the request names none.
    let namespace: Namespace?
    let tenancy: Tenancy
    /// Whether the client gets references for large payloads.
    let showsReferences: Bool
    let trace: RequestTrace
    private(set) var answer = CodecAnswer()

    /// Stores a large payload and answers its reference; answers a small one unchanged.
    mutating func encode(_ payload: CodecBody.Payload) throws {
        let isLarge = SerializedSize.ofPayload(payload.metadata, dataSize: payload.size) > limits.minimumSize
        guard isLarge, let namespace else { return answer.addUnchanged(payload) }
        let key = try PayloadKey(of: payload.metadata, payload.digest, in: namespace)
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
        try store.commit(upload, as: key, trace)
    }

    /// Answers a reference's payload, or what replaces a payload that is too large.
    mutating func decode(_ payload: CodecBody.Payload, at index: Int) throws {
        guard let reference = try reference(payload) else { return answer.addUnchanged(payload) }
        let (key, stored) = try find(reference)
        let isTooLong = answer.length + CodecAnswer.length(of: reference) > limits.answerLimit
        if showsReferences, isTooLong || reference.size > limits.displayLimit {
            answer.addStorageReference(reference)
        } else if isTooLong {
            answer.addPlaceholder(reference, at: index, limit: limits.answerLimit)
        } else {
            try add(reference, key, stored)
        }
    }

    /// Answers a reference's payload. One payload may be any size, but several only up to the answer's limit, so that they
    /// do not occupy a thread for minutes.
    mutating func download(_ payload: CodecBody.Payload) throws {
        guard let reference = try reference(payload) else {
            throw Refusal.badRequest("it is no reference to a large payload, so there is nothing to download")
        }
        let (key, stored) = try find(reference)
        guard answer.stored.isEmpty || answer.length + CodecAnswer.length(of: reference) <= limits.answerLimit else {
            throw Refusal.badRequest("the answer would have over \(limits.answerLimit) bytes, download fewer at once")
        }
        try add(reference, key, stored)
    }

    private func reference(_ payload: CodecBody.Payload) throws -> PayloadReference? {
        guard try PayloadReference.isCarried(by: payload.metadata) else { return nil }
        var json: [UInt8] = []
        try body.read(payload) { json += $0 }
        return try PayloadReference(parsing: json)
    }

    /// Opens a reference's payload.
    ///
    /// - Throws: ``Refusal`` if it is missing, the caller may not use its namespace, or digest or size differ.
    private func find(_ reference: PayloadReference) throws -> (PayloadKey, StoredPayload) {
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

    private mutating func add(_ reference: PayloadReference, _ key: PayloadKey, _ stored: StoredPayload) throws {
        // A request can have many references to one large payload: verify its digest only once.
        if !answer.stored.contains(key) { try stored.check(key.digest, onPiece: trace.advance) }
        answer.addStored(reference, key)
    }
}
