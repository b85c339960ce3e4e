import Foundation
import TestSupport
import Testing

/// Logs and answers reveal nothing about the engine's credentials.
@Suite(.serialized, .runLimit) struct BucketSecretTests {
    private let options = ["--log-level", "debug", "--request-timeout", "2s"]

    private func expectNone(
        of secrets: String...,
        in answers: [HTTPAnswer],
        _ stack: Stack,
        _ front: BucketFront,
        nginx says: String
    ) throws {
        let path = stack.folder.file("nginx-error.log")
        func errors() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
        try eventually("nginx logs \(says)") { try errors().contains(says) }
        try eventually("the failures are logged") { stack.accessLog.contains("status=503") }
        #expect(stack.workerLog.contains("bucket payloads at \(front.host)"))
        let texts = [try errors(), stack.accessLog, stack.workerLog, stack.nginx.log]
        for text in texts + answers.map({ "\($0.headers) \($0.body.count < 1000 ? $0.text : "")" }) {
            for secret in secrets { #expect(!text.contains(secret), "\(secret)") }
        }
        for answer in answers {
            let names = answer.headers.keys.filter { $0.hasPrefix("x-") && $0 != "x-request-id" }
            #expect(names.isEmpty, "\(answer.status)")
            #expect(answer.headers["server"]?.contains("Seaweed") != true)
        }
    }

    @Test func `No log or answer contains a secret or a signature, even if the engine is gone`() throws {
        let front = try BucketFront(TestEngine.shared)
        let logs = ["--slow-log-after", "1ms", "--access-log", "stderr"]
        let stack = try Stack(through: front, options: options + logs)
        let payload = randomPayload(5 << 20)
        var answers = [try stack.put(payload)]
        let key = try Stack.key(answers[0])
        for headers in [[:], ["Range": "bytes=1-2"], ["Range": "bytes=99999999-"], ["If-None-Match": "*"]] {
            answers.append(try stack.get(key, length: payload.count, headers))
        }
        answers.append(try stack.get(key, length: 1))
        let deleted = try stack.store(randomPayload(10))
        #expect(try stack.lps("rm", deleted).status == 0)
        answers.append(try stack.get(deleted, length: 10))
        let uncached = try stack.store(randomPayload(5 << 20))
        front.kill()
        for headers in [[:], ["Range": "bytes=1-2"]] {
            answers.append(try stack.get(uncached, length: payload.count, headers))
        }
        answers.append(try stack.put(randomPayload(10)))
        #expect(answers.map(\.status) == [201, 200, 206, 416, 304, 412, 404, 503, 503, 503])
        // A worker caches the health check's result for two seconds.
        try eventually("the health check fails") {
            answers.append(try stack.request("HEAD", "/v2/health/head"))
            return answers.last?.status == 503
        }
        let secrets = front.engine.secretKey
        try expectNone(
            of: secrets,
            "Signature",
            "signature",
            "AWS4-HMAC",
            in: answers,
            stack,
            front,
            nginx: "connect() failed"
        )
    }

    @Test func `No log or answer contains a session token, even if the engine closes the connection`() throws {
        // SeaweedFS refuses every session token, so the front answers in its place.
        let page = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        let front = try BucketFront(
            TestEngine.shared,
            """
            add_header Last-Modified "Sun, 01 Nov 2026 00:00:00 GMT";
            add_header ETag x;
            if ($http_if_none_match) { return 412; }
            if ($request_uri ~ "/probe/") { return 200 "Large Payload Service: what this engine can do\n"; }
            if ($request_method = DELETE) { return 403; }
            if ($args ~ list-type) { return 200 "\(page)"; }
            if ($request_method = HEAD) { return 200 x; }
            return 444;
            """
        )
        let token = "lps-test-session-token"
        let stack = try Stack(through: front, options: options, launcher: ["env", "AWS_SESSION_TOKEN=\(token)"])
        let key = "/blobs/default/common/\(Stack.digest([1]))/\(Stack.digest([]))"
        let answers = [try stack.get(key, length: 1), try stack.put(randomPayload(10))]
        #expect(answers.map(\.status) == [503, 503])
        try expectNone(of: token, in: answers, stack, front, nginx: "prematurely closed")
    }
}
