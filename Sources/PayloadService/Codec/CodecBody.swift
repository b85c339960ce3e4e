import Encoding
import PayloadKey
import Storage

/// The body of a request to the codec server, `{"payloads":[{"metadata":{name: base64},"data": base64}]}` (protobuf's JSON
/// mapping of `temporal.api.common.v1.Payloads`). The data stays in its file; memory holds only metadata and offsets.
struct CodecBody {
    /// The maximum number of payloads in a request.
    static let maximumPayloads = 1024
    /// The maximum bytes of metadata in a request, and also of references.
    static let maximumInMemory = 1 << 20
    /// Bytes that each metadata entry counts in addition to its name and value.
    static let entryOverhead = 256

    /// A member of a payload: its name, and the range of its value's JSON in the body.
    typealias Member = (name: [UInt8], value: Range<UInt64>)

    /// One payload of the body.
    struct Payload {
        let metadata: TemporalMetadata
        /// The digest of the decoded data.
        let digest: Digest
        /// Bytes of the decoded data.
        let size: UInt64
        /// The range of the payload's JSON in the body.
        let text: Range<UInt64>
        /// The members other than metadata and data, such as `externalPayloads`.
        let others: [Member]
        /// The offset of the data's string; `nil` if there is no data.
        fileprivate let dataOffset: Int?
    }

    let upload: Upload
    let payloads: [Payload]
    private let reader: JSONReader

    /// Reads the whole body, and computes each payload's digest.
    ///
    /// - Throws: ``Refusal`` that names the payload's index, or ``StoreError``.
    init(_ upload: Upload) throws {
        self.upload = upload
        var reader = JSONReader { offset in
            let start = UInt64(offset)
            let end = min(start + 65536, upload.size)
            guard start < end else { return [] }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(Int(end - start))
            try upload.read(start..<end) { bytes += $0 }
            return bytes
        }
        reader.stringLimit = Self.maximumInMemory
        self.reader = reader
        do {
            payloads = try reader.payloads()
        } catch let error as JSONSyntaxError {
            throw Refusal.badRequest("body is not a JSON object of payloads: \(printable("\(error)".utf8))")
        }
    }

    /// Checks that the request's references fit into memory.
    func checkReferences() throws(Refusal) {
        let size = payloads.filter { $0.metadata[PayloadReference.versionName] != nil }.map(\.size).reduce(0, +)
        guard size <= Self.maximumInMemory else {
            throw .badRequest("references have \(size) bytes, at most \(Self.maximumInMemory) are allowed")
        }
    }

    /// Passes a payload's decoded data to `take`, piece by piece.
    func read(_ payload: Payload, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let offset = payload.dataOffset else { return }
        var reader = self.reader
        reader.seek(offset)
        try reader.base64(take)
    }
}

extension JSONReader {
    fileprivate mutating func payloads() throws -> [CodecBody.Payload] {
        var payloads: [CodecBody.Payload]?
        var room = CodecBody.maximumInMemory
        try skipWhitespace()
        try object { reader, name in
            guard name.equals("payloads") else { return try reader.skip() }
            guard payloads == nil else { throw reader.error("payloads are given twice") }
            payloads = []
            if try reader.null() { return }
            var index = 0
            try reader.array { reader in
                guard index < CodecBody.maximumPayloads else {
                    throw reader.error("over \(CodecBody.maximumPayloads) payloads")
                }
                try namingPayload(index) { payloads?.append(try reader.payload(&room)) }
                index += 1
            }
        }
        try end()
        return payloads ?? []
    }

    /// - Parameter room: the bytes of metadata, and of other members' names, that this payload and the following ones may
    ///   still have.
    private mutating func payload(_ room: inout Int) throws -> CodecBody.Payload {
        let start = offset
        var metadata: TemporalMetadata?
        var dataOffset: Int?
        var hasData = false
        var size: UInt64 = 0
        var hasher = DigestHasher()
        var others: [CodecBody.Member] = []
        func take(_ bytes: Int) throws {
            room -= bytes + CodecBody.entryOverhead
            guard room >= 0 else {
                throw Refusal.badRequest("metadata of all payloads has over \(CodecBody.maximumInMemory) bytes")
            }
        }
        try object { reader, name in
            switch String(decoding: name, as: UTF8.self) {
            case "metadata":
                guard metadata == nil else { throw reader.error("metadata is given twice") }
                metadata = try reader.temporalMetadata(decodingValues: Base64Decoder.decode) {
                    try take($0.count + $1.count)
                }
            case "data":
                guard !hasData else { throw reader.error("data is given twice") }
                hasData = true
                if try reader.null() { return }
                dataOffset = reader.offset
                try reader.base64 { piece in
                    size += UInt64(piece.count)
                    hasher.update(piece)
                }
            default:
                try take(name.count)
                let start = UInt64(reader.offset)
                try reader.skip()
                others.append((name, start..<UInt64(reader.offset)))
            }
        }
        return CodecBody.Payload(
            metadata: metadata ?? TemporalMetadata([]),
            digest: hasher.finalize(),
            size: size,
            text: UInt64(start)..<UInt64(offset),
            others: others,
            dataOffset: dataOffset
        )
    }

    /// Reads a base64 string of any length, and passes the decoded bytes to `take`.
    fileprivate mutating func base64(_ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        var decoder = Base64Decoder()
        try string { piece in
            try decoder.decode(piece).withUnsafeBytes(take)
        }
        try decoder.finish().withUnsafeBytes(take)
    }
}

/// Runs `body`, and turns its errors into refusals that name the payload's index.
func namingPayload<Result>(_ index: Int, _ body: () throws -> Result) throws -> Result {
    func refusal(_ message: String, _ status: Status = .badRequest) -> Refusal {
        Refusal(status, "payload \(index): \(message)")
    }
    do {
        return try body()
    } catch let error as Refusal {
        throw refusal(error.message, error.status)
    } catch let error as JSONSyntaxError {
        throw refusal(printable("\(error)".utf8))
    } catch let error as PayloadReferenceError {
        throw refusal(printable("\(error)".utf8))
    } catch is Base64Decoder.Failure {
        throw refusal("its data is not valid base64")
    } catch TemporalMetadataError.valueNotBase64(let name) {
        throw refusal("its metadata '\(printable(name))' is not valid base64")
    }
}
