import Foundation
import LargePayloadCodec
import TemporalSDKShape
import TestSupport
import Testing

// Exactly what a user of the SDK has to write.
extension Api.Common.V1.Payload: TemporalPayload {}
extension LargePayloadCodec: PayloadCodec {}

/// The converter of the library's overview.
private struct ReadableErrors: PayloadConverter {
    private let converter = DefaultPayloadConverter()

    func convertValue(_ value: some Any) throws -> Api.Common.V1.Payload {
        try converter.convertValue(value)
    }

    func convertPayload<Value>(_ payload: Api.Common.V1.Payload, as type: Value.Type) throws -> Value {
        if let message = LargePayloadCodec.failureMessage(of: payload) { throw PayloadError(description: message) }
        return try converter.convertPayload(payload, as: type)
    }
}

private struct PayloadError: Error, CustomStringConvertible {
    let description: String
}

@Suite(.runLimit) struct TemporalSDKTests {
    private typealias Payload = Api.Common.V1.Payload

    private func payload(_ data: [UInt8]) -> Payload {
        var payload = Payload()
        payload.metadata = ["encoding": Data("binary/plain".utf8)]
        payload.data = Data(data)
        return payload
    }

    @Test func `Two empty extensions are enough for the Swift Temporal SDK`() async throws {
        let codec: any PayloadCodec = try await FakeService.storing().codec()
        var payload = payload(randomPayload(1000))
        payload.externalPayloads = [1]
        let encoded = try await codec.encode(payload: payload)
        #expect(encoded.metadata["temporal.io/remote-codec"] == Data("v2".utf8))
        #expect(encoded.data.count < 500)
        #expect(encoded.externalPayloads == [1])
        #expect(try await codec.decode(payloads: [encoded]) == [payload])
    }

    /// A codec, and the references to three payloads of which the service has lost the second.
    private func losing(_ edit: (inout LargePayloadCodec.Options) -> Void) async throws
        -> (codec: LargePayloadCodec, references: [Payload])
    {
        let storing = FakeService.storing()
        let service = FakeService { request, _ in
            if request.method == "GET", request.url.hasSuffix("/k1") {
                return CodecResponse(status: 404, body: Data("blob not found\n".utf8))
            }
            return try await storing.send(request, timeout: .seconds(60))
        }
        let codec = try await service.codec(edit)
        // One after the other: the service numbers its keys.
        var references: [Payload] = []
        for _ in 0..<3 { references.append(try await codec.encode(payload: payload(randomPayload(100)))) }
        return (codec, references)
    }

    @Test func `A workflow whose payload is lost fails readably, and the worker serves the others`() async throws {
        let (codec, references) = try await losing { _ in }
        let worker = WorkflowWorker(codec, ReadableErrors()) { _ in Data([1]) }
        let (completions, end) = await worker.run(references.enumerated().map { .init(runID: "\($0)", argument: $1) })
        #expect(end == nil)
        #expect(completions["0"] == .successful(payload([1])))
        #expect(
            completions["1"]
                == .failed(message: "download failed with status 404: blob not found (key /k1)")
        )
        #expect(completions["2"] == .successful(payload([1])))
        // Without that converter, the workflow fails too, but the SDK does not say why.
        let unreadable = await WorkflowWorker(codec, DefaultPayloadConverter())
            .run([.init(runID: "1", argument: references[1])])
        #expect(unreadable.completions["1"] == .failed(message: "DecodingError()"))
    }

    @Test func `If the codec throws, a lost payload ends the worker and all later workflows wait`() async throws {
        let (codec, references) = try await losing { $0.permanentFailures = .throwError }
        let worker = WorkflowWorker(codec, ReadableErrors()) { _ in Data([1]) }
        let (completions, end) = await worker.run(references.enumerated().map { .init(runID: "\($0)", argument: $1) })
        #expect((end as? LargePayloadCodecError)?.status == 404)
        #expect(completions["0"] == .successful(payload([1])))
        #expect(completions.count == 1)
    }

    @Test func `A result that cannot be stored completes its workflow, and its reader sees why`() async throws {
        let service = FakeService { _, _ in CodecResponse(status: 413, body: Data("payload exceeds".utf8)) }
        let argument = payload([1])
        func completion(_ edit: (inout LargePayloadCodec.Options) -> Void) async throws -> Payload? {
            let codec = try await service.codec(edit)
            let worker = WorkflowWorker(codec, ReadableErrors()) { _ in Data(randomPayload(100)) }
            let (completions, end) = await worker.run([.init(runID: "run", argument: argument)])
            #expect(end == nil)
            guard case .successful(let result) = completions["run"] else { return nil }
            return result
        }
        let result = try #require(try await completion { _ in })
        let error = #expect(throws: PayloadError.self) { try ReadableErrors().convertPayload(result, as: Data.self) }
        #expect(error?.description == "upload failed with status 413: payload exceeds")
        // If the codec throws, no completion reaches the server, and the workflow hangs.
        #expect(try await completion { $0.permanentFailures = .throwError } == nil)
    }
}
