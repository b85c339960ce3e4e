import Encoding
import PayloadKey
import Storage

/// The codec server's answer, with one payload for each of the request's. Large payloads stay in their files until they
/// are sent.
struct CodecAnswer {
    fileprivate enum Part {
        case text([UInt8])
        /// A payload copied from this range of the request's body.
        case unchanged(Range<UInt64>)
        /// The base64 of a stored payload, and the payload's size in bytes.
        case stored(PayloadKey, UInt64)
    }

    private var parts: [Part] = [.text(Array("{\"payloads\":[".utf8))]
    private var isFirst = true
    /// The length of the complete answer in bytes.
    private(set) var length = UInt64("{\"payloads\":[]}".utf8.count)
    /// Total bytes of the references in the answer.
    private var referenceSize = 0
    /// The payloads that a decode did not decode.
    private(set) var undecoded = UndecodedPayloads()

    /// The keys of the payloads that the answer reads from the store.
    private(set) var stored: Set<PayloadKey> = []

    /// The bytes that a stored payload takes in an answer.
    static func length(of reference: PayloadReference) -> UInt64 {
        UInt64(Self.head(reference.metadata).utf8.count) + Base64Encoder.length(of: reference.size) + 4
    }

    /// Adds a payload of the request without changing it.
    mutating func addUnchanged(_ payload: CodecBody.Payload) {
        begin()
        add(.unchanged(payload.text), UInt64(payload.text.count))
    }

    /// Adds a payload whose data is in memory.
    ///
    /// - Parameters:
    ///   - more: more members of the payload's JSON, each after a comma.
    ///   - others: more members, copied from the request.
    private mutating func add(
        _ metadata: TemporalMetadata,
        data: some Sequence<UInt8>,
        more: String = "",
        others: [CodecBody.Member] = []
    ) {
        begin()
        add("\(Self.head(metadata))\(StandardBase64.encode(data))\"\(more)")
        end(with: others)
    }

    /// Adds a payload that carries a reference to one of the request.
    ///
    /// - Returns: false, adding nothing, if the references would be too large to decode in one request.
    mutating func addReference(_ json: String, to payload: CodecBody.Payload) -> Bool {
        guard json.utf8.count <= CodecBody.maximumInMemory - referenceSize else { return false }
        referenceSize += json.utf8.count
        add(PayloadReference.carrierMetadata, data: json.utf8, others: payload.others)
        return true
    }

    /// Adds a payload from the store.
    ///
    /// - Parameter carrier: the request's payload that carries the reference.
    mutating func addStored(_ reference: PayloadReference, _ key: PayloadKey, for carrier: CodecBody.Payload) {
        begin()
        stored.insert(key)
        add(Self.head(reference.metadata))
        add(.stored(key, reference.size), Base64Encoder.length(of: reference.size))
        add("\"")
        end(with: carrier.others)
    }

    /// Ends a payload with members of the request's payload that the codec does not change.
    private mutating func end(with others: [CodecBody.Member]) {
        for (name, value) in others {
            add(",\(JSONText.string(utf8: name)):")
            add(.unchanged(value), UInt64(value.count))
        }
        add("}")
    }

    /// Adds a payload that can't be decoded as it is in the request.
    mutating func addUndecoded(_ payload: CodecBody.Payload, at index: Int, _ reason: String) {
        addUnchanged(payload)
        undecoded.add(index, reason)
    }

    /// Adds a reference that can't be decoded for a client that shows references: the reason is a member of the reference,
    /// which readers of references ignore.
    mutating func addUndecoded(_ reference: PayloadReference, at index: Int, _ reason: String) {
        let error = JSONText.string(reason.unicodeScalars)
        add(PayloadReference.carrierMetadata, data: "\(reference.json.dropLast()),\"error\":\(error)}".utf8)
        undecoded.add(index, reason)
    }

    /// Adds a placeholder for a stored payload that is too large for the answer.
    mutating func addPlaceholder(_ reference: PayloadReference, at index: Int, _ reason: String) {
        let key = JSONText.string(utf8: reference.key)
        add(
            TemporalMetadata([(Array("encoding".utf8), Array("json/plain".utf8))]),
            data: ("{\"placeholder\":\"a payload of \(reference.size) bytes is not shown: \(reason)\","
                + "\"size\":\(reference.size),\"digest\":\"\(reference.digest)\",\"key\":\(key)}").utf8
        )
        undecoded.add(index, reason)
    }

    /// Adds a reference in the form of Temporal's external storage (`temporal.api.sdk.v1.ExternalStorageReference`). The Web UI
    /// offers a download for it, which requests the payload as it is in the history.
    mutating func addStorageReference(_ reference: PayloadReference) {
        let key = JSONText.string(utf8: reference.key)
        add(
            TemporalMetadata([
                (Array("encoding".utf8), Array("json/protobuf".utf8)),
                (Array("messageType".utf8), Array("temporal.api.sdk.v1.ExternalStorageReference".utf8)),
            ]),
            data: ("{\"driverName\":\"large-payload-service\",\"claimData\":{\"size\":\"\(reference.size)\","
                + "\"digest\":\"\(reference.digest)\",\"key\":\(key)}}").utf8,
            more: ",\"externalPayloads\":[{\"sizeBytes\":\"\(reference.size)\"}]"
        )
    }

    /// Makes the response that sends the answer.
    ///
    /// - Parameters:
    ///   - upload: the request's body.
    ///   - store: the store to read payloads from.
    ///   - deadline: when to stop waiting for the store.
    func response(
        _ upload: Upload,
        _ store: any PayloadStorage,
        until deadline: ContinuousClock.Instant?
    ) -> ServiceResponse {
        var headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        if !undecoded.isEmpty { headers.append(("X-LPS-Undecoded", undecoded.field)) }
        let parts = self.parts + [.text(Array("]}".utf8))]
        return ServiceResponse(
            .ok,
            headers: headers,
            body: .produced(length) { take in
                for part in parts { try part.write(upload, store, until: deadline, take) }
            }
        )
    }

    private static func head(_ metadata: TemporalMetadata) -> String {
        let json = metadata.entries.isEmpty ? "{}" : metadata.json
        return "{\"metadata\":\(json),\"data\":\""
    }

    private mutating func begin() {
        if !isFirst { add(",") }
        isFirst = false
    }

    private mutating func add(_ text: String) {
        add(.text(Array(text.utf8)), UInt64(text.utf8.count))
    }

    private mutating func add(_ part: Part, _ size: UInt64) {
        parts.append(part)
        length += size
    }
}

extension CodecAnswer.Part {
    fileprivate func write(
        _ upload: Upload,
        _ store: any PayloadStorage,
        until deadline: ContinuousClock.Instant?,
        _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        switch self {
        case .text(let text):
            try text.withUnsafeBytes(take)
        case .unchanged(let range):
            try upload.read(range, take)
        case .stored(let key, let size):
            // Opened again: an answer can have more payloads than the process may have open files.
            guard let payload = try store.open(key, until: deadline), payload.size == size else {
                throw StoreError(.vanished, "\(key) was deleted while it was answered")
            }
            var encoder = Base64Encoder()
            try payload.read(0..<size) { try encoder.encode($0).withUnsafeBytes(take) }
            try encoder.finish().withUnsafeBytes(take)
        }
    }
}
