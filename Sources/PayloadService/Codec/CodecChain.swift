import Encoding
import PayloadKey
import Storage

/// Passes the payloads of one request through the next codec server: before our encoding, and after our decoding.
struct CodecChain {
    /// Bytes by which the answer to a decode may exceed what was sent: metadata that the next codec server restores.
    static let room: UInt64 = 1 << 20
    /// Bytes of an error's text that are read.
    private static let longestText = 4096

    private let next: any NextCodec
    private let namespace: Namespace?
    private let headers: [(name: String, value: String)]
    private let uploads: UploadFolder
    private let trace: RequestTrace

    /// - Parameters:
    ///   - namespace: the request's namespace.
    ///   - credentials: the header fields with the caller's credentials.
    /// - Throws: ``Refusal`` if the request names no namespace, but the next codec server's URL needs one.
    init(
        _ next: any NextCodec,
        _ namespace: Namespace?,
        _ credentials: [(name: String, value: String)],
        _ uploads: UploadFolder,
        _ trace: RequestTrace
    ) throws(Refusal) {
        if next.needsNamespace, namespace == nil {
            throw .badRequest(
                "namespace is required, in the path or in the header X-Namespace: codec server \(next.url) needs it"
            )
        }
        self.next = next
        self.namespace = namespace
        headers = (namespace.map { [("X-Namespace", $0.description)] } ?? []) + credentials
        self.uploads = uploads
        self.trace = trace
    }

    /// Encodes the payloads of a client.
    ///
    /// - Parameter limit: the largest answer to accept, in bytes.
    func encode(_ body: CodecBody, limit: UInt64) throws -> CodecBody {
        let tooLong = Refusal(.contentTooLarge, "\(server) answered over \(limit) bytes, the max size of a body")
        return try pass(body.upload, to: .encode, count: body.payloads.count, limit: limit, tooLong: tooLong)
    }

    /// Decodes the payloads of our answer.
    ///
    /// - Parameters:
    ///   - count: the number of payloads.
    ///   - limit: the largest answer to accept in bytes, unless our answer is larger.
    /// - Returns: the body of the answer to the client.
    func decode(_ answer: ServiceResponse.Body, count: Int, limit: UInt64) throws -> ServiceResponse.Body {
        guard case .produced(let length, let produce) = answer else { return answer }
        try uploads.checkSpace(for: length)
        let sent = try uploads.spool { take in
            try produce { piece in
                try trace.advance()
                try take(piece)
            }
        }
        let (sum, isOver) = max(limit, length).addingReportingOverflow(Self.room)
        let limit = isOver ? .max : sum
        let tooLong = Refusal.badRequest("\(server) answered over \(limit) bytes, decode fewer payloads at once")
        let decoded = try pass(sent, to: .decode, count: count, limit: limit, tooLong: tooLong).upload
        return .produced(decoded.size) { try decoded.read(0..<decoded.size, $0) }
    }

    /// The next codec server in messages.
    private var server: String { "codec server \(next.url)" }

    private func pass(
        _ body: Upload,
        to operation: NextCodecRequest.Operation,
        count: Int,
        limit: UInt64,
        tooLong: Refusal
    ) throws -> CodecBody {
        try uploads.checkSpace(for: body.size)
        let request = NextCodecRequest(
            operation: operation,
            body: body,
            namespace: namespace,
            headers: headers,
            deadline: trace.deadline
        )
        var text: [UInt8] = []
        var status = 0
        let answer = try uploads.spool { write in
            var size: UInt64 = 0
            status = try sending(request) { status, piece in
                guard status == 200 else {
                    text += piece.prefix(Self.longestText - text.count)
                    return text.count < Self.longestText
                }
                size += UInt64(piece.count)
                guard size <= limit else { throw tooLong }
                try write(piece)
                return true
            }
        }
        guard status == 200 else { throw failure(status, text) }
        let answered = try parsed(answer)
        guard answered.payloads.count == count else {
            throw NextCodecError("\(server) answered \(answered.payloads.count) payloads for \(count)")
        }
        return answered
    }

    private func sending(
        _ request: NextCodecRequest,
        _ take: (_ status: Int, UnsafeRawBufferPointer) throws -> Bool
    ) throws -> Int {
        do {
            return try next.send(request, onPiece: trace.advance, take)
        } catch let error as NextCodecError {
            // If the request's own time is over, that is the reason.
            try trace.advance()
            throw NextCodecError("\(server): \(error)")
        }
    }

    private func parsed(_ answer: Upload) throws -> CodecBody {
        do {
            return try CodecBody(answer)
        } catch let refusal as Refusal {
            throw NextCodecError("\(server) answered no valid payloads: \(refusal.message)")
        }
    }

    /// The error for an answer that is no success: a server that is overloaded or fails may recover, others repeat their
    /// refusal.
    private func failure(_ status: Int, _ text: [UInt8]) -> any Error {
        let line = text.split(maxSplits: 1, omittingEmptySubsequences: true) { $0 == 0x0A || $0 == 0x0D }.first ?? []
        let message = "\(server) answered status \(status)" + (line.isEmpty ? "" : ": \(printable(line))")
        switch status {
        case 401, 403: return Refusal(.forbidden, message)
        case 408, 429: return NextCodecError(message)
        case 300...499: return Refusal.badRequest(message)
        default: return NextCodecError(message)
        }
    }
}

extension ServiceRequest {
    /// The header fields with the caller's credentials, for the next codec server.
    ///
    /// - Throws: ``Refusal`` for a value that can't be sent unchanged.
    func credentials() throws(Refusal) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        for (name, value) in [
            ("Authorization", headers.authorization), ("Authorization-Extras", headers.authorizationExtras),
            ("Cookie", headers.cookie),
        ] {
            guard let value else { continue }
            guard let text = String(validating: value, as: UTF8.self), value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else {
                throw .badRequest("header \(name) has characters that can't be passed on")
            }
            fields.append((name, text))
        }
        return fields
    }
}
