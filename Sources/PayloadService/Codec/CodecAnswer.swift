import Encoding
import PayloadKey
import Storage

/// The answer of the codec server: as many payloads as were asked about. What is large stays in its file until it is
/// written.
struct CodecAnswer {
    fileprivate enum Part {
        case text([UInt8])
        /// A payload as it stands in the request's body.
        case unchanged(Range<UInt64>)
        /// The base64 of a stored payload of this many bytes.
        case stored(PayloadKey, UInt64)
    }

    private var parts: [Part] = [.text(Array("{\"payloads\":[".utf8))]
    private var isFirst = true
    /// Bytes, without the end that is still to come.
    private(set) var length = UInt64("{\"payloads\":[]}".utf8.count)
    /// Bytes of the references that payloads of the answer carry.
    private var referenceSize = 0
    /// The indices of the payloads that are shown as placeholders.
    private(set) var placeholders: [Int] = []

    /// The keys of the payloads that are answered from the store.
    private(set) var stored: Set<PayloadKey> = []

    /// How many bytes a stored payload would take of the answer.
    static func length(of reference: PayloadReference) -> UInt64 {
        UInt64(Self.head(reference.metadata).utf8.count) + Base64Encoder.length(of: reference.size) + 4
    }

    /// Adds a payload that is answered as it came.
    mutating func addUnchanged(_ payload: CodecBody.Payload) {
        begin()
        add(.unchanged(payload.text), UInt64(payload.text.count))
    }

    /// Adds a payload whose data is in memory.
    ///
    /// - Parameter more: further members of the payload's JSON, with a comma before each.
    private mutating func add(_ metadata: TemporalMetadata, data: String, more: String = "") {
        begin()
        add("\(Self.head(metadata))\(StandardBase64.encode(data.utf8))\"\(more)}")
    }

    /// Adds a payload that carries a reference.
    ///
    /// - Returns: false when the references are too many to be decoded in one request; nothing is added then.
    mutating func addReference(_ json: String) -> Bool {
        guard json.utf8.count <= CodecBody.maximumInMemory - referenceSize else { return false }
        referenceSize += json.utf8.count
        add(PayloadReference.carrierMetadata, data: json)
        return true
    }

    /// Adds a payload that is stored.
    mutating func addStored(_ reference: PayloadReference, _ key: PayloadKey) {
        begin()
        stored.insert(key)
        add(Self.head(reference.metadata))
        add(.stored(key, reference.size), Base64Encoder.length(of: reference.size))
        add("\"}")
    }

    /// Adds what stands for a stored payload that is too large for the answer.
    mutating func addPlaceholder(_ reference: PayloadReference, at index: Int, limit: UInt64) {
        let key = JSONText.string(String(decoding: reference.key, as: UTF8.self).unicodeScalars)
        add(
            TemporalMetadata([(Array("encoding".utf8), Array("json/plain".utf8))]),
            data: "{\"placeholder\":\"a payload of \(reference.size) bytes is not shown: the answer would have over "
                + "\(limit) bytes\",\"size\":\(reference.size),\"digest\":\"\(reference.digest)\",\"key\":\(key)}"
        )
        placeholders.append(index)
    }

    /// Adds a reference in the shape of Temporal's own external storage (`temporal.api.sdk.v1.ExternalStorageReference`),
    /// beside which the Web UI offers a download. It then asks for the payload as it stands in the history.
    mutating func addStorageReference(_ reference: PayloadReference) {
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

    /// The answer's response.
    ///
    /// - Parameters:
    ///   - upload: the request's body.
    ///   - store: where the stored payloads are.
    ///   - deadline: when to give up waiting for the store.
    func response(
        _ upload: Upload,
        _ store: any PayloadStorage,
        until deadline: ContinuousClock.Instant?
    ) -> ServiceResponse {
        var headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        if !placeholders.isEmpty {
            headers.append(("X-LPS-Placeholders", placeholders.map(String.init).joined(separator: ",")))
        }
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
            // Opened again, since an answer may have more payloads than the process may have open files.
            guard let payload = try store.open(key, until: deadline), payload.size == size else {
                throw StoreError(.vanished, "\(key) was deleted while it was answered")
            }
            var encoder = Base64Encoder()
            try payload.read(0..<size) { try encoder.encode($0).withUnsafeBytes(take) }
            try encoder.finish().withUnsafeBytes(take)
        }
    }
}
