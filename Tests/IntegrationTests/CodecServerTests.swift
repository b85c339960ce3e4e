import Foundation
import TestSupport
import Testing

/// That Temporal's codec server protocol goes through a real nginx and a real worker. What is answered when is shown in
/// process (`CodecTests` and others of `Tests/PayloadServiceTests`).
@Suite(.serialized, .runLimit) struct CodecServerTests {
    private func ask(_ operation: String, _ payloads: [JSONPayload], _ stack: Stack) throws -> [JSONPayload] {
        try JSONPayloads(stack.codec(operation, JSONPayloads(payloads).json)).payloads
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A large payload becomes a reference and comes back, decoded and downloaded`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let payloads = [
            JSONPayload(randomPayload(200_000)), JSONPayload(Array("small".utf8)),
            JSONPayload(randomPayload(5_000_000), metadata: ["a": "1", "remote-codec/key-prefix": "team/a"]),
        ]
        let encoded = try ask("encode", payloads, stack)
        #expect(encoded[1] == payloads[1])
        #expect(String(decoding: encoded[2].data, as: UTF8.self).contains("/blobs/default/custom/team/a/sha256:"))
        let isDecoded = try ask("decode", encoded, stack) == payloads
        #expect(isDecoded)
        let isDownloaded = try ask("a%20b/download", [encoded[0], encoded[2]], stack) == [payloads[0], payloads[2]]
        #expect(isDownloaded)
        let inPath = try JSONPayloads(stack.codec("a%20b/encode", JSONPayloads(payloads).json, [:])).payloads
        #expect(String(decoding: inPath[0].data, as: UTF8.self).contains("\"/blobs/a b/common/"))
        try stack.expectNothingIncoming()
    }

    @Test func `What is stored and what is shown is the operator's to limit`() throws {
        let limits = ["--codec-min-size", "1000", "--codec-display-limit", "2000", "--codec-answer-limit", "10k"]
        let stack = try Stack(options: limits + ["--max-payload", "50k"])
        let payloads = [500, 1500, 2500, 9000].map { JSONPayload(randomPayload($0)) }
        let encoded = try ask("encode", payloads, stack)
        #expect(encoded[0] == payloads[0] && encoded[1] != payloads[1])
        let shown = try ask("decode?preserveStorageRefs=true", Array(encoded[1...2]), stack)
        #expect(shown[0] == payloads[1])
        #expect(shown[1].externalPayloads == [JSONPayload.External(sizeBytes: "2500")])
        let answer = try stack.codec("decode", JSONPayloads(encoded).json)
        #expect(answer.headers["x-lps-placeholders"] == "3", "a page may read it")
        let large = try stack.codec("encode", JSONPayloads([JSONPayload(randomPayload(50_000))]).json)
        expectError(large, 413, "body exceeds max size of 51200 bytes", "over a worker's limit")
    }

    @Test func `Errors, methods and paths arrive as they were given`() throws {
        let stack = try Stack()
        let good = Array(#"{"payloads":[]}"#.utf8)
        expectError(try stack.codec("decode", Array("[]".utf8)), 400, nil, "a body that is none")
        for path in ["", "x", "decode/", "a/b/decode"] {
            expectError(try stack.codec(path, good), 404, nil, path)
        }
        #expect(try stack.codec("/decode", good).status == 200, "nginx makes one slash of two")
        for method in ["GET", "PUT", "DELETE"] {
            let answer = try stack.request(method, "/codec/decode", body: method == "PUT" ? good : nil)
            expectError(answer, 405, nil, method)
            #expect(answer.headers["allow"] == "POST")
        }
        #expect(try stack.request("POST", "/v2/codec/decode", body: good).status == 404)
        try stack.expectNothingIncoming()
    }

    @Test func `Without its location in nginx, a worker has no codec server`() throws {
        let stack = try Stack(nginx: { $0.replacingOccurrences(of: "fastcgi_param LPS_CODEC_PREFIX /codec;", with: "") }
        )
        expectError(
            try stack.codec("decode", Array(#"{"payloads":[]}"#.utf8)),
            404,
            "unknown path '/codec/decode'",
            "decode"
        )
    }

    @Test func `No request fails when its worker is killed`() throws {
        let stack = try Stack(workers: 1)
        let body = try JSONPayloads([JSONPayload(randomPayload(20 << 20))]).json
        var wasBusy = false
        // Until the worker that is killed was the one that had the request.
        for round in UInt32(0)..<40 where !wasBusy {
            let worker = stack.workers[0]
            try stack.startWorkers(1)
            try concurrently(2) { index in
                guard index == 0 else {
                    usleep(.random(in: 20_000...150_000 + round * 25_000))
                    stack.stop(worker, SIGKILL)
                    return
                }
                let status = try stack.codec("encode", body).status
                #expect(status == 200)
            }
            let error = (try? String(contentsOfFile: stack.folder.file("nginx-error.log"), encoding: .utf8)) ?? ""
            wasBusy = error.contains("upstream prematurely closed connection")
        }
        #expect(wasBusy, "a worker was killed while it had a request")
    }

    @Test func `A body over nginx's limit is refused before it is read`() throws {
        let stack = try Stack()
        let connection = try HTTPConnection(stack.httpSocket)
        try connection.send("POST", "/codec/decode", ["Origin": "https://temporal.example.com"], length: (64 << 20) + 1)
        let answer = try connection.receive()
        expectError(answer, 413, "body exceeds max size of 67108864 bytes", "by nginx")
        #expect(answer.headers["access-control-allow-origin"] == "https://temporal.example.com")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `No worker's memory passes 32 MiB while bodies and answers of 60 MiB go through`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let payload = JSONPayload(randomPayload(45 << 20))
        let body = try JSONPayloads([payload]).json
        let base64 = payload.data.base64EncodedData()
        try concurrently(3) { _ in
            let encoded = try stack.codec("encode", body)
            let decoded = try stack.codec("decode", encoded.body)
            let isWhole = Data(decoded.body).dropLast(4).suffix(base64.count) == base64
            #expect(isWhole)
        }
        // As many metadata entries as a request may have, from as many clients as there are threads.
        let entries = (0..<4000).map { #""\#($0)":"""# }.joined(separator: ",")
        let names = Array(#"{"payloads":[{"metadata":{\#(entries)}}]}"#.utf8)
        try concurrently(16) { _ in
            let status = try stack.codec("encode", names).status
            #expect(status == 200)
        }
        let peak = try #require(stack.workers.first?.status("VmHWM"))
        #expect(peak < 32 << 10, "peak resident memory of the worker in KiB")
    }
}
