import Foundation
import PayloadKey
import Synchronization
import TestSupport

@testable import PayloadService

/// The next codec server, without HTTP. It inverts the bits of each payload's JSON.
final class FakeCodec: NextCodec {
    typealias Script = @Sendable (NextCodecRequest, _ body: [UInt8]) throws -> (status: Int, body: [UInt8])

    struct Request: Sendable {
        let operation: NextCodecRequest.Operation
        let namespace: Namespace?
        /// Each as `Name: value`.
        let headers: [String]
    }

    private struct State {
        var script: Script?
        var requests: [Request] = []
        var needsNamespace = false
    }

    private let state: Mutex<State>

    /// - Parameter script: answers instead of the codec.
    init(_ script: Script? = nil) { state = Mutex(State(script: script)) }

    let url = "http://next"
    var requests: [Request] { state.withLock { $0.requests } }
    var needsNamespace: Bool {
        get { state.withLock { $0.needsNamespace } }
        set { state.withLock { $0.needsNamespace = newValue } }
    }
    var script: Script? {
        get { state.withLock { $0.script } }
        set { state.withLock { $0.script = newValue } }
    }

    func send(
        _ request: NextCodecRequest,
        onPiece: () throws -> Void,
        _ take: (Int, UnsafeRawBufferPointer) throws -> Bool
    ) throws -> Int {
        let headers = request.headers.map { "\($0.name): \($0.value)" }
        let seen = Request(operation: request.operation, namespace: request.namespace, headers: headers)
        state.withLock { $0.requests.append(seen) }
        var body: [UInt8] = []
        try request.body.read(0..<request.body.size) { piece in
            try onPiece()
            body += piece
        }
        let (status, answer) = try script?(request, body) ?? (200, Self.answer(request.operation, body))
        var rest = answer[...]
        while !rest.isEmpty {
            let piece = rest.prefix(10_000)
            rest = rest.dropFirst(piece.count)
            guard try piece.withUnsafeBytes({ try take(status, $0) }) else { break }
        }
        return status
    }

    private static func answer(_ operation: NextCodecRequest.Operation, _ body: [UInt8]) throws -> [UInt8] {
        let payloads = try JSONDecoder().decode(JSONPayloads.self, from: Data(body)).payloads
        return try JSONPayloads(payloads.map(operation == .encode ? encrypted : decrypted)).json
    }

    private static func encrypted(_ payload: JSONPayload) throws -> JSONPayload {
        JSONPayload(try JSONEncoder().encode(payload).map { ~$0 }, metadata: ["encoding": "binary/encrypted"])
    }

    private static func decrypted(_ payload: JSONPayload) throws -> JSONPayload {
        payload.metadata["encoding"] == Data("binary/encrypted".utf8) ? try decrypt(payload.data) : payload
    }

    static func decrypt(_ data: Data) throws -> JSONPayload {
        try JSONDecoder().decode(JSONPayload.self, from: Data(data.map { ~$0 }))
    }
}
