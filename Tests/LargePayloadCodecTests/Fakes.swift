import Foundation
import LargePayloadCodec
import Synchronization
import TestSupport
import Testing

/// A payload type that conforms to the protocol as the SDK's does.
struct TestPayload: TemporalPayload, Equatable {
    var metadata: [String: Data] = [:]
    var data = Data()
    /// A member that the codec does not know.
    var externalPayloads: [Int] = []

    init(_ data: [UInt8], _ metadata: [String: String] = ["encoding": "binary/plain"]) {
        self.data = Data(data)
        self.metadata = metadata.mapValues { Data($0.utf8) }
    }

    /// A payload with a reference to `content`, apart from the given deviations.
    init(referenceTo content: [UInt8], size: Int?, digest: String?, key: String, version: String) {
        let json =
            #"{"metadata":{"encoding":"YmluYXJ5L3BsYWlu"},"size":\#(size ?? content.count),"#
            + #""digest":"\#(digest ?? Stack.digest(content))","key":"\#(key)"}"#
        self.init(Array(json.utf8), ["encoding": "json/plain", "temporal.io/remote-codec": version])
    }
}

/// Answers requests in the test process, to simulate faults that the real service does not have.
final class FakeService: CodecTransport {
    private let answer: @Sendable (CodecRequest, Int) async throws -> CodecResponse
    private let received = Mutex<[CodecRequest]>([])

    /// - Parameter answer: Receives each request and its number, from 0.
    init(_ answer: @escaping @Sendable (CodecRequest, Int) async throws -> CodecResponse) {
        self.answer = answer
    }

    var requests: [CodecRequest] { received.withLock { $0 } }

    func send(_ request: CodecRequest, timeout: Duration) async throws -> CodecResponse {
        let number = received.withLock { requests in
            requests.append(request)
            return requests.count - 1
        }
        return try await answer(request, number)
    }

    /// A service that stores uploads in memory and answers downloads, like the real one.
    static func storing() -> FakeService {
        let stored = Mutex<[String: Data]>([:])
        return FakeService { request, _ in
            switch request.method {
            case "PUT":
                let key = "/k\(stored.withLock { $0.count })"
                stored.withLock { $0[key] = request.body }
                return CodecResponse(status: 201, body: Data("{\"Key\":\"\(key)\"}\n".utf8))
            case "GET":
                let key = request.url.components(separatedBy: "key=").last ?? ""
                return stored.withLock { $0[key] }.map { CodecResponse(status: 200, body: $0) }
                    ?? CodecResponse(status: 404, body: Data("blob not found".utf8))
            default:
                return CodecResponse(status: 200)
            }
        }
    }
}

/// The error of a transport that got no answer.
struct Broken: Error, Equatable {}

extension FakeService {
    /// A codec that uses this service, without the health check, and retries without delay.
    func codec(_ edit: (inout LargePayloadCodec.Options) -> Void = { _ in }) async throws -> LargePayloadCodec {
        var options = LargePayloadCodec.Options(url: "http://service.test/below/", namespace: "ns")
        options.transport = self
        options.minimumSize = 32
        options.skipsHealthCheck = true
        options.retries = .init(giveUpAfter: .seconds(60), initialDelay: .zero, maximumDelay: .zero)
        edit(&options)
        return try await LargePayloadCodec(options)
    }

    /// The error of encoding payloads with such a codec that throws permanent failures.
    func failure(
        encoding payloads: TestPayload...,
        edit: (inout LargePayloadCodec.Options) -> Void = { _ in }
    ) async throws -> LargePayloadCodecError? {
        let codec = try await codec {
            $0.permanentFailures = .throwError
            edit(&$0)
        }
        return await #expect(throws: LargePayloadCodecError.self) { try await codec.encode(payloads: payloads) }
    }
}
