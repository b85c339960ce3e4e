import Foundation
import TestSupport
import Testing

/// Whatever system call of a request to the codec server fails: an error, or what is right; never other payloads.
@Suite(.serialized, .runLimit) struct CodecFaultTests {
    private static func parameters(_ operation: String, _ body: [UInt8]) -> [String: String] {
        [
            "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/codec/\(operation)", "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": "\(body.count)", "LPS_CODEC_PREFIX": "/codec", "HTTP_X_NAMESPACE": "a",
        ]
    }

    private func payloads(_ answer: CGIAnswer) throws -> [JSONPayload] {
        try JSONDecoder().decode(JSONPayloads.self, from: Data(answer.body.utf8)).payloads
    }

    /// Asks a codec server again and again, each time with another fault.
    ///
    /// - Parameters:
    ///   - body: what it is asked, of each time.
    ///   - check: called with what was asked and answered.
    private func tryFaults(
        _ operation: String,
        body: () throws -> [UInt8],
        check: (_ fault: Fault, _ body: [UInt8], _ answer: CGIAnswer) throws -> Void,
        _ victim: Victim
    ) throws {
        let folder = victim.stack.folder
        var openFiles = victim.openFiles.count
        try eventually("what was answered is closed") {
            usleep(100_000)
            let last = openFiles
            openFiles = victim.openFiles.count
            return openFiles == last
        }
        let trace = Tracer(folder, nil)
        let first = try body()
        let traced = try trace.attached(to: victim.process) {
            try victim.request(Self.parameters(operation, first), body: first)
        }
        #expect(traced.status == 200, "\(traced)")
        var tried = 0
        var refused = 0
        let faults = Fault.few(TracedCall.parse(trace.take()), each: 4, turn: operation.count)
        for fault in faults {
            let body = try body()
            let tracer = Tracer(folder, fault)
            let answer = try tracer.attached(to: victim.process) {
                try victim.request(Self.parameters(operation, body), body: body)
            }
            let injected = TracedCall.parse(tracer.take()).first { $0.line.contains("INJECTED") }
            guard let injected else { continue }
            tried += 1
            // The rest of an answer that has begun may fail; the web server sees that it is not whole.
            // Where nothing of it was sent yet, the web server asks the next worker.
            let isCutOff = answer.head.isEmpty || answer.status == 200 && answer.body.utf8.count < answer.announced ?? 0
            if answer.status == 200, !isCutOff {
                try check(fault, body, answer)
            } else if injected.isOfFiles {
                refused += 1
                #expect(answer.isClearError || isCutOff && operation == "decode", "\(fault): \(answer)")
                #expect(!fault.mustBeInvisible, "\(fault): \(answer)")
            }
        }
        #expect(victim.process.isRunning)
        try eventually("nothing stays open") { victim.openFiles.count == openFiles }
        try victim.stack.expectOnlySweepableIncoming()
        print("\(operation): \(tried) faults, \(refused) refused")
        expectFaults(tried, of: faults, told: refused)
    }

    @Test func `An encode of which any system call fails stores all payloads, or is refused`() throws {
        let stack = try Stack(.plain)
        let victim = try Victim(stack)
        var contents: [[UInt8]] = []
        try tryFaults(
            "encode",
            body: {
                contents = [randomPayload(150_000), [1, 2, 3], randomPayload(130_000)]
                return try JSONPayloads(contents.map { JSONPayload($0) }).json
            },
            check: { fault, _, answer in
                let encoded = try payloads(answer)
                #expect(encoded.count == 3, "\(fault)")
                for content in [contents[0], contents[2]] {
                    let keys = stack.keys.filter { $0.contains(Stack.digest(content).dropFirst(7)) }
                    #expect(keys.contains { $0.hasPrefix("keys/a/") }, "\(fault)")
                }
            },
            victim
        )
        try stack.expectObjectsWhole()
    }

    @Test func `A decode of which any system call fails gives the payloads as they were, or none`() throws {
        let stack = try Stack(.plain)
        let victim = try Victim(stack)
        let originals = [
            JSONPayload(randomPayload(150_000)), JSONPayload([1, 2, 3]), JSONPayload(randomPayload(130_000)),
        ]
        let body = try JSONPayloads(originals).json
        let encoded = try payloads(victim.request(Self.parameters("encode", body), body: body))
        let references = try JSONPayloads(encoded).json
        try tryFaults(
            "decode",
            body: { references },
            check: { fault, _, answer in
                let isSame = try payloads(answer) == originals
                #expect(isSame, "\(fault)")
            },
            victim
        )
    }
}
