import Foundation
import TestSupport
import Testing

/// The engine stops or hangs, and resumes.
@Suite(.serialized, .runLimit) struct BucketOutageTests {
    enum Outage {
        case gone
        /// Connections are accepted, and nothing answers.
        case frozen
    }

    private func expectUnavailable(_ answer: HTTPAnswer, _ what: String) {
        #expect(answer.status == 503, "\(what): \(answer.text)")
        #expect(answer.headers["retry-after"].flatMap { Int($0) } != nil, "\(what): \(answer.headers)")
    }

    @Test(arguments: [(Outage.gone, Stack.Mode.handover), (.gone, .plain), (.frozen, .handover)])
    func `During an outage of the engine only the cache serves, and afterwards service resumes`(
        outage: Outage,
        mode: Stack.Mode
    ) throws {
        let front = try BucketFront(TestEngine.shared)
        // By default nginx waits 30 seconds for the engine.
        let stack = try Stack(mode, through: front, options: ["--request-timeout", "2s"]) {
            $0.replacingOccurrences(of: "proxy_read_timeout 30s", with: "proxy_read_timeout 2s")
        }
        let pids = stack.workers.map(\.pid)
        let payloads = (0..<3).map { _ in randomPayload(100_000) }
        let (warm, known) = (try stack.store(payloads[0]), try stack.store(payloads[1]))
        #expect(try stack.get(warm, length: 100_000).status == 200)
        // Not stored through the worker, which thus does not know its size.
        try write(payloads[2], to: stack.folder.file("cold"))
        let put = try stack.lps("put", stack.folder.file("cold"), "--namespace", "default")
        #expect(put.status == 0, "\(put.output)")
        let cold = put.output.trimmingCharacters(in: .newlines)
        let absent = warm.replacingOccurrences(of: Stack.digest(payloads[0]), with: Stack.digest([1]))
        let upload = randomPayload(100_000)

        switch outage {
        case .gone: front.kill()
        case .frozen: front.freeze()
        }
        try concurrently(6) { index in
            switch index {
            case 0: expectUnavailable(try stack.put(upload), "an upload")
            case 1: expectUnavailable(try stack.get(cold, length: 100_000), "a download")
            case 2: expectUnavailable(try stack.get(known, length: 100_000), "a payload whose size is known")
            case 3: expectUnavailable(try stack.get(absent, length: 1), "a payload that was never stored")
            case 4:
                // A worker caches the engine's state for two seconds.
                try eventually("the health check fails") { try stack.request("HEAD", "/v2/health/head").status == 503 }
            default:
                let answer = try stack.get(warm, length: 100_000)
                if mode == .plain { return expectUnavailable(answer, "nginx has no cache") }
                #expect(answer.status == 200)
                let isWhole = answer.body == payloads[0]
                #expect(isWhole)
            }
        }
        try stack.expectNothingIncoming()

        switch outage {
        case .gone: try front.restart()
        case .frozen: front.thaw()
        }
        try eventually("the health check succeeds again") { try stack.request("HEAD", "/v2/health/head").status == 200 }
        for (key, payload) in zip([warm, known, cold], payloads) {
            let isWhole = try stack.get(key, length: 100_000).body == payload
            #expect(isWhole, "\(key)")
        }
        expectError(try stack.get(absent, length: 1), 404, "blob not found", "a payload that was never stored")
        // A frozen engine may find the first upload in its socket, and store it.
        #expect(try (outage == .frozen ? [200, 201] : [201]).contains(stack.put(upload).status))
        let isWhole = try stack.get(Stack.key(stack.put(upload)), length: 100_000).body == upload
        #expect(isWhole)
        #expect(stack.workers.map(\.pid) == pids)
    }
}
