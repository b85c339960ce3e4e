import Encoding
import PayloadKey
import Storage

/// Encodes, decodes or downloads the payloads of one request to the codec server.
struct CodecWork {
    /// What a decode answers for large payloads.
    enum Display {
        /// Those that fit into the answer.
        case payloads
        /// A placeholder for each that does not fit.
        case placeholders
        /// A reference that the client can download for each that is too large for a page (`preserveStorageRefs`).
        case references
    }

    let store: any PayloadStorage
    let limits: CodecLimits
    let body: CodecBody
    /// The namespace to store payloads in; `nil` if the request names none.
    let namespace: Namespace?
    let tenancy: Tenancy
    let display: Display
    let trace: RequestTrace
    private(set) var answer = CodecAnswer()
    /// The first failure of the store that concerned one payload only.
    private(set) var fault: StoreError?

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
        guard answer.addReference(reference.json, to: payload) else {
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

    /// Answers a reference's payload. One that can't be decoded is answered as it is in the request, so that the others
    /// can be read.
    mutating func decode(_ payload: CodecBody.Payload, at index: Int) throws {
        do {
            guard let reference = try reference(payload) else { return answer.addUnchanged(payload) }
            try decode(payload, reference, at: index)
        } catch let error as Undecodable {
            if case .references = display, let reference = error.reference {
                answer.addUndecoded(reference, at: index, error.reason)
            } else {
                answer.addUndecoded(payload, at: index, error.reason)
            }
            fault = fault ?? error.fault
        }
    }

    private mutating func decode(
        _ payload: CodecBody.Payload,
        _ reference: PayloadReference,
        at index: Int
    ) throws {
        let (key, stored) = try find(reference)
        let isTooLong = answer.length + CodecAnswer.length(of: reference) > limits.answerLimit
        let reason = "the answer would have over \(limits.answerLimit) bytes"
        switch display {
        case .references where isTooLong || reference.size > limits.displayLimit: answer.addStorageReference(reference)
        case .placeholders where isTooLong: answer.addPlaceholder(reference, at: index, reason)
        case _ where isTooLong: answer.addUndecoded(payload, at: index, reason)
        default: try add(reference, key, stored, for: payload)
        }
    }

    /// Answers a reference's payload. One payload may be any size, but several only up to the answer's limit, so that they
    /// do not occupy a thread for minutes.
    mutating func download(_ payload: CodecBody.Payload) throws {
        do {
            guard let reference = try reference(payload) else {
                throw Refusal.badRequest("it is no reference to a large payload, so there is nothing to download")
            }
            let (key, stored) = try find(reference)
            guard
                answer.stored.isEmpty || answer.length + CodecAnswer.length(of: reference) <= limits.answerLimit
            else {
                throw Refusal.badRequest(
                    "the answer would have over \(limits.answerLimit) bytes, download fewer at once"
                )
            }
            try add(reference, key, stored, for: payload)
        } catch let error as Undecodable {
            // Answers the same as for a download without the codec server, and logs the fault.
            if let fault = error.fault { throw fault }
            throw Refusal(error.status, error.reason)
        }
    }

    // MARK: References

    /// A reference leads to no sound payload, and no repetition of the request changes that.
    private struct Undecodable: Error {
        let reason: String
        /// The status of a download.
        var status = Status.badRequest
        /// The reference, if it is valid.
        var reference: PayloadReference?
        /// The store's failure, if that is the cause.
        var fault: StoreError?
    }

    /// The reference that a payload carries; `nil` if it is no reference.
    private func reference(_ payload: CodecBody.Payload) throws -> PayloadReference? {
        do {
            guard try PayloadReference.isCarried(by: payload.metadata) else { return nil }
            var json: [UInt8] = []
            try body.read(payload) { json += $0 }
            return try PayloadReference(parsing: json)
        } catch let error as PayloadReferenceError {
            throw Undecodable(reason: printable("\(error)".utf8))
        }
    }

    /// Opens a reference's payload.
    private func find(_ reference: PayloadReference) throws -> (PayloadKey, StoredPayload) {
        func undecodable(_ reason: String, _ status: Status = .badRequest) -> Undecodable {
            Undecodable(reason: reason, status: status, reference: reference)
        }
        guard let key = PayloadKey(parsing: reference.key) else { throw undecodable("blob not found") }
        do {
            try tenancy.checkReading(key.namespace)
            try reference.check(against: key)
        } catch let error as Refusal {
            throw undecodable(error.message, error.status)
        } catch let error as PayloadReferenceError {
            throw undecodable(printable("\(error)".utf8))
        }
        let found = try reading(reference) { try store.open(key, until: trace.deadline) }
        guard let stored = found else { throw undecodable("blob not found") }
        guard stored.size == reference.size else {
            throw undecodable("payload has \(stored.size) bytes, expected \(reference.size)")
        }
        return (key, stored)
    }

    private mutating func add(
        _ reference: PayloadReference,
        _ key: PayloadKey,
        _ stored: StoredPayload,
        for payload: CodecBody.Payload
    ) throws {
        // A request can have many references to one large payload: verify its digest only once.
        if !answer.stored.contains(key) {
            try reading(reference) { try stored.check(key.digest, onPiece: trace.advance) }
        }
        answer.addStored(reference, key, for: payload)
    }

    /// Reads from the store: content that is damaged, or that this user or the disk can't read, concerns one payload.
    private func reading<Value>(_ reference: PayloadReference, _ read: () throws -> Value) throws -> Value {
        do {
            return try read()
        } catch let error as StoreError {
            switch error.code {
            case .vanished: throw Undecodable(reason: "blob not found", reference: reference)
            case .damaged, .unreadable:
                throw Undecodable(
                    reason: "its stored content is damaged or unreadable, the worker's log says how",
                    reference: reference,
                    fault: error
                )
            default: throw error
            }
        }
    }
}
