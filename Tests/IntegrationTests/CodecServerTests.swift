import Foundation
import TestSupport
import Testing

/// Temporal's codec server protocol through a real nginx and a real worker. `CodecTests` and others in
/// `Tests/PayloadServiceTests` test the answers in process.
@Suite(.serialized, .runLimit) struct CodecServerTests {
    private func ask(_ operation: String, _ payloads: [JSONPayload], _ stack: Stack) throws -> [JSONPayload] {
        try JSONPayloads(stack.codec(operation, JSONPayloads(payloads).json)).payloads
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A large payload becomes a reference, which can be decoded and downloaded`(mode: Stack.Mode) throws {
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
        let large = try JSONPayloads([encoded[0], encoded[2]]).json
        let isDownloaded =
            try JSONPayloads(stack.codec("a%20b/download", large, [:])).payloads == [payloads[0], payloads[2]]
        #expect(isDownloaded)
        let inPath = try JSONPayloads(stack.codec("a%20b/encode", JSONPayloads(payloads).json, [:])).payloads
        #expect(String(decoding: inPath[0].data, as: UTF8.self).contains("\"/blobs/a b/common/"))
        try stack.expectNothingIncoming()
    }

    @Test func `nginx passes on errors, methods, paths and the operator's limits`() throws {
        let limits = ["--codec-min-size", "1000", "--codec-display-limit", "2000", "--codec-answer-limit", "10k"]
        let stack = try Stack(options: limits + ["--max-payload", "50k"])
        let encoded = try ask("encode", [500, 1500, 2500, 9000].map { JSONPayload(randomPayload($0)) }, stack)
        #expect(encoded.map { $0.metadata["temporal.io/remote-codec"] != nil } == [false, true, true, true])
        let preserved = try ask("decode?preserveStorageRefs=true", encoded, stack)
        #expect(preserved.map { $0.externalPayloads?.count ?? 0 } == [0, 0, 1, 1])
        let answer = try stack.codec("decode", JSONPayloads(encoded).json)
        #expect(answer.headers["x-lps-undecoded"] == #"3;reason="the answer would have over 10240 bytes""#)
        #expect(answer.headers["access-control-expose-headers"]?.contains("X-LPS-Undecoded") == true)
        let large = try stack.codec("encode", JSONPayloads([JSONPayload(randomPayload(50_000))]).json)
        expectError(large, 413, "body exceeds max size of 51200 bytes", "over a worker's limit")
        expectError(try stack.codec("decode", Array("[]".utf8)), 400, nil, "a body that is not an object")
        let good = Array(#"{"payloads":[]}"#.utf8)
        let coded = try stack.codec("decode", good, ["Content-Encoding": "gzip"])
        expectError(coded, 415, nil, "a compressed body")
        let literal = try stack.request(
            "POST",
            "/codec/%7Bnamespace%7D/encode",
            ["X-Namespace": "payments"],
            body: good
        )
        expectError(literal, 400, nil, "a client that does not replace the placeholder")
        for path in ["/codec/", "/codec/x", "/codec/decode/", "/codec/a/b/decode", "/v2/codec/decode"] {
            expectError(try stack.request("POST", path, body: good), 404, nil, path)
        }
        #expect(try stack.codec("/decode", good).status == 200, "nginx merges slashes")
        for method in ["GET", "PUT", "DELETE"] {
            let answer = try stack.request(method, "/codec/decode", body: method == "PUT" ? good : nil)
            expectError(answer, 405, nil, method)
            #expect(answer.headers["allow"] == "POST")
        }
        try stack.expectNothingIncoming()
    }

    @Test func `No request fails when its worker is killed`() throws {
        let stack = try Stack()
        let worker = stack.workers[0]
        let body = try JSONPayloads([JSONPayload(randomPayload(20 << 20))]).json
        try concurrently(2) { index in
            if index == 0 {
                let status = try stack.codec("encode", body).status
                #expect(status == 200)
            } else {
                let incoming = "\(stack.store)/incoming/"
                try eventually("the worker reads the body") { worker.openFiles.contains { $0.hasPrefix(incoming) } }
                stack.stop(worker, SIGKILL)
                try stack.startWorkers(1)
            }
        }
        let error = try String(contentsOfFile: stack.folder.file("nginx-error.log"), encoding: .utf8)
        #expect(error.contains("upstream prematurely closed connection"), "the killed worker had the request")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A worker needs less than 32 MiB for bodies and answers of 60 MiB`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let payload = JSONPayload(randomPayload(45 << 20))
        let body = try JSONPayloads([payload]).json
        let base64 = payload.data.base64EncodedData()
        try concurrently(2) { _ in
            let encoded = try stack.codec("encode", body)
            let decoded = try stack.codec("decode", encoded.body)
            let isWhole = Data(decoded.body).dropLast(4).suffix(base64.count) == base64
            #expect(isWhole)
        }
        // The most metadata entries that a request may have, from one client per thread.
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
