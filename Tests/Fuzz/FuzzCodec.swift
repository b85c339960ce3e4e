import Encoding
import PayloadKey
import DiskStore
import Storage

@testable import PayloadService

/// Tests the codec server with a request whose first byte selects the operation: payloads that pass through stay the
/// same byte for byte, encoded payloads decode to themselves, and nothing remains in `incoming/`.
func fuzzCodec(_ text: [UInt8]) throws {
    guard let choice = text.first else { return }
    let body = Array(text.dropFirst())
    let server = CodecServer.current
    defer { precondition(!server.store.hasIncoming) }
    checkPayloads(body, server)
    switch choice % 4 {
    case 0: _ = server.ask("decode", body)
    case 1: _ = server.ask("download", body)
    case 2: checkUnchanged(body, server)
    default: try checkRoundTrip(body, server)
    }
}

/// Checks that each payload is a complete JSON value and can be read again with the same result, and that memory use is
/// limited.
private func checkPayloads(_ body: [UInt8], _ server: CodecServer) {
    guard let read = server.read(body) else { return }
    precondition(read.payloads.count <= CodecBody.maximumPayloads)
    var metadataSize = 0
    for payload in read.payloads {
        metadataSize += payload.metadata.entries.reduce(0) { $0 + $1.name.count + $1.value.count }
        var reader = JSONReader(Array(body[Int(payload.text.lowerBound)..<Int(payload.text.upperBound)]))
        guard (try? reader.skip()) != nil, (try? reader.end()) != nil else {
            preconditionFailure("a payload has a wrong position")
        }
        var hasher = DigestHasher()
        var size: UInt64 = 0
        guard
            (try? read.read(payload) {
                hasher.update($0)
                size += UInt64($0.count)
            }) != nil
        else { preconditionFailure("data cannot be read again") }
        precondition(size == payload.size && hasher.finalize() == payload.digest)
    }
    precondition(metadataSize <= CodecBody.maximumInMemory)
}

/// Checks that the answer contains the payloads unchanged if none is large enough to store.
private func checkUnchanged(_ body: [UInt8], _ server: CodecServer) {
    guard let answer = server.ask("encode", body, minimumSize: .max), let read = server.read(body) else { return }
    let payloads = read.payloads.map { body[Int($0.text.lowerBound)..<Int($0.text.upperBound)] }
    let expected = [Array("{\"payloads\":[".utf8), Array(payloads.joined(separator: [0x2C])), Array("]}".utf8)]
    precondition(answer.elementsEqual(expected.joined()))
}

/// Checks that encoded payloads decode to the same payloads. Skips bodies that contain references, because decoding
/// changes those.
private func checkRoundTrip(_ body: [UInt8], _ server: CodecServer) throws {
    guard let encoded = server.ask("encode", body, minimumSize: 32), let before = server.read(body) else { return }
    guard !before.payloads.contains(where: { $0.metadata[PayloadReference.versionName] != nil }) else { return }
    guard let decoded = server.ask("decode", encoded), let after = server.read(decoded) else {
        preconditionFailure("an encoded payload was not decoded")
    }
    precondition(
        before.payloads.elementsEqual(after.payloads) {
            $0.metadata == $1.metadata && $0.digest == $1.digest && $0.size == $1.size
        }
    )
}

private final class CodecServer {
    /// The content that the corpus's references point to.
    private static let content = Array("hello, world\n".utf8)
    private nonisolated(unsafe) static var shared = CodecServer()
    private var answers = 0

    /// The server in use. It is replaced from time to time, so that stored payloads do not fill the memory.
    static var current: CodecServer {
        shared.answers += 1
        if shared.answers > 20_000 { shared = CodecServer() }
        return shared
    }

    let store = FuzzStore("codec")

    private init() {
        do {
            let digest = Digest(of: Self.content)
            let upload = try store.store.uploads.receive(length: UInt64(Self.content.count), digest: digest) { take in
                try Self.content.withUnsafeBytes { try take($0) }
            }
            let key = PayloadKey(
                namespace: try Namespace(validating: "default".utf8),
                prefix: nil,
                digest: digest,
                metadataHash: TemporalMetadata([]).hash
            )
            _ = try store.store.commit(upload, as: key)
        } catch {
            preconditionFailure("\(error)")
        }
    }

    /// The payloads of a body; `nil` if it is refused.
    func read(_ body: [UInt8]) -> CodecBody? {
        do {
            return try CodecBody(try store.store.uploads.spool(from: source(body), limit: .max))
        } catch let refusal as Refusal {
            check(refusal.message.utf8, refusal.status)
            return nil
        } catch {
            preconditionFailure("\(error)")
        }
    }

    /// The content of the answer; `nil` if the request is refused.
    func ask(_ operation: String, _ body: [UInt8], minimumSize: UInt64 = 32) -> [UInt8]? {
        let service = PayloadService(
            store: store.store,
            maximumPayload: 1 << 20,
            codec: CodecLimits(minimumSize: minimumSize, displayLimit: 64, answerLimit: 4096),
            logger: store.logger
        )
        var headers = ServiceRequest.Headers()
        headers.namespace = ArraySlice("default".utf8)
        let response = service.respond(
            to: ServiceRequest(
                method: ArraySlice("POST".utf8),
                path: ArraySlice("/codec/\(operation)".utf8),
                query: [],
                headers: headers,
                body: .stream(source(body)),
                delivery: .stream,
                allowedNamespaces: nil,
                codecPrefix: ArraySlice("/codec".utf8)
            )
        )
        switch response.body {
        case .produced(let length, let produce):
            precondition(response.status == .ok)
            var answer: [UInt8] = []
            guard (try? produce { answer += $0 }) != nil, answer.count == length else {
                preconditionFailure("the answer's length differs from the announced one")
            }
            return answer
        case .bytes(let message):
            check(message, response.status)
            return nil
        case .empty:
            preconditionFailure("no answer")
        }
    }

    /// Checks that a refusal blames the client and is one line.
    private func check(_ message: some Sequence<UInt8>, _ status: Status) {
        precondition(status == .badRequest || status == .contentTooLarge)
        precondition(!message.contains { $0 < 0x20 || $0 == 0x7F })
    }

    private func source(_ body: [UInt8]) -> ServiceRequest.BodySource {
        var rest = body[...]
        return { buffer in
            let piece = rest.prefix(buffer.count)
            buffer.copyBytes(from: piece)
            rest = rest.dropFirst(piece.count)
            return piece.count
        }
    }
}
