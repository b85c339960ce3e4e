import Foundation
import TestSupport
import Testing

/// An operator's settings and logs.
@Suite(.serialized, .runLimit) struct OperationTests {
    private func lines(_ stack: Stack, with text: String) -> [String] {
        stack.workerLog.split(separator: "\n").map(String.init).filter { $0.contains(text) }
    }

    // MARK: Logs

    @Test func `Each log line of a request has the request's id`() throws {
        let stack = try Stack()
        let answer = try stack.put([1, 2, 3], digest: Stack.digest([4]))
        #expect(answer.status == 400)
        let id = try #require(answer.headers["x-request-id"])
        #expect(id.count == 32)
        let mismatch = try #require(lines(stack, with: "upload does not match its digest or length").first)
        #expect(mismatch.hasPrefix("level=notice "))
        #expect(mismatch.contains(" request_id=\(id)"))
        try eventually("nginx has written its log line") { stack.accessLog.contains("request_id=\(id)") }
        for line in stack.workerLog.split(separator: "\n") {
            #expect(line.hasPrefix("level="), "\(line)")
        }
    }

    /// With `ssh host lps-worker --check` and `docker exec`, standard error is a pipe that a person reads.
    @Test(arguments: [true, false])
    func `Log lines have priorities only if standard error is the journal`(isJournal: Bool) throws {
        let folder = try TemporaryFolder()
        let log = folder.file("log")
        try write([], to: log)
        var status = stat()
        #expect(stat(log, &status) == 0)
        let config = folder.file("config")
        try write("LPS_TREADS=1\n".utf8, to: config)
        let worker = try ChildProcess(
            Project.binary("lps-worker"),
            ["--check", "--config", config, "--store", folder.file("none")],
            // systemd.exec(5): standard error may have been redirected since systemd set the variable.
            environment: ["JOURNAL_STREAM": "\(status.st_dev):\(status.st_ino + (isJournal ? 0 : 1))"],
            log: log
        )
        #expect(worker.wait() == 78)
        let lines = worker.log.split(separator: "\n")
        #expect(lines.count == 2)
        let expected = isJournal ? ["<4>level=warning ", "<3>lps-worker: "] : ["level=warning ", "lps-worker: "]
        for (line, start) in zip(lines, expected) { #expect(line.hasPrefix(start), "\(line)") }
    }

    @Test func `Every error answer has the request's id, and successful answers have none`() throws {
        let stack = try Stack()
        let good = try stack.put([1])
        #expect(good.status == 201)
        #expect(good.headers["x-request-id"] == nil)
        let ids = try [
            stack.request("GET", "/v2/nothing"), stack.request("POST", "/v2/blobs/get"),
            stack.codec("nothing", []),
            stack.request("PUT", "/v2/blobs/put", ["Content-Length": "2000000000"]),
        ].map { answer in
            #expect(answer.status >= 400)
            return answer.headers["x-request-id"] ?? "none of \(answer)"
        }
        #expect(Set(ids).count == ids.count)
        #expect(ids.allSatisfy { $0.count == 32 }, "\(ids)")
    }

    @Test func `A request id that is not a plain word is ignored`() throws {
        let stack = try Stack()
        for id in ["two words", "line\nbreak", String(repeating: "x", count: 65), "é"] {
            let answer = try FastCGIClient(stack.workerSocket).ask("GET", "/no", ["LPS_REQUEST_ID": id])
            #expect(answer.contains("Status: 404"))
            #expect(!answer.contains("X-Request-Id"))
        }
    }

    @Test func `A slow request logs one line with its phases, a fast one none`() throws {
        let stack = try Stack(.plain, options: ["--slow-log-after", "300ms"])
        let payload = randomPayload(100)
        let client = try FastCGIClient(uploading: payload, requestID: "slow-one", to: stack.workerSocket)
        usleep(1_500_000)
        client.send(FastCGIClient.record(.stdin, payload) + FastCGIClient.record(.stdin, []))
        #expect(client.receiveAnswer().contains("Status: 201"))
        #expect(try stack.put(payload).status == 200)
        // On a busy machine the other request may be slow, too.
        let slow = lines(stack, with: #"msg="slow request""#)
        #expect(slow.count <= 2)
        #expect(slow.allSatisfy { !$0.contains("duration=0.0") })
        let line = try #require(slow.first { $0.contains("request_id=slow-one") })
        #expect(line.hasPrefix("level=warning "))
        for field in [
            "endpoint=put", "status=201", "bytes_in=100", "namespace=default", "digest=\(Stack.digest(payload))",
            "request_id=slow-one", "checking=", "hashing=", "committing=", "answering=", "duration=",
        ] {
            #expect(line.contains(" \(field)"), "\(line)")
        }
    }

    @Test func `The access log has a line per request in the operator's format, and none can be forged`() throws {
        let folder = try TemporaryFolder()
        let log = folder.file("access.log")
        let format = #"[$endpoint] "$method $path" $status in=$bytes_in ns=$namespace id=$request_id;"#
        let stack = try Stack(options: ["--access-log", log, "--access-format", format])
        #expect(try stack.put([1, 2, 3], namespace: "a b").status == 201)
        #expect(try stack.request("GET", "/v2/x%22%0Afake").status == 404)
        let text = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        #expect(text.contains { $0.hasPrefix(#"[put] "PUT /v2/blobs/put" 201 in=3 ns=a%20b id="#) })
        #expect(text.contains { $0.hasPrefix(##"[unknown] "GET /v2/x\x22\x0Afake" 404 in=0 ns=- id="##) })
        #expect(!text.contains { $0.hasPrefix("fake") })
    }

    @Test func `SIGUSR1 reopens the logs without losing a line`() throws {
        let folder = try TemporaryFolder()
        let (error, access) = (folder.file("error.log"), folder.file("access.log"))
        let worker = try LoneWorker(folder, ["--error-log", error, "--access-log", access], errorLog: error)
        @Sendable func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
        #expect(text(error).hasPrefix("level="))
        let pings = Counter()
        let isDone = Counter()
        try concurrently(2) { part in
            if part == 0 {
                while isDone.value == 0 {
                    #expect(try worker.ask("GET", "/lps/ping").contains("pong"))
                    pings.add()
                }
                return
            }
            for number in 1...3 {
                try eventually("lines are written") { !text(access).isEmpty }
                rename(access, access + ".\(number)")
                rename(error, error + ".\(number)")
                worker.process.signal(SIGUSR1)
                try eventually("the worker writes to the new file") { text(error).contains("logs reopened") }
            }
            isDone.add()
        }
        let written = ["", ".1", ".2", ".3"].map { text(access + $0).split(separator: "\n").count }.reduce(0, +)
        #expect(written == pings.value)
        worker.stop()
        #expect(text(error).contains("stopped"))
    }

    // MARK: Limits

    @Test func `A request that exceeds its timeout gets 503, stores nothing and frees its thread`() throws {
        let stack = try Stack(.plain, options: ["--request-timeout", "3s", "--threads", "1"])
        let payload = randomPayload(100)
        let client = try FastCGIClient(uploading: payload, requestID: "slow-one", to: stack.workerSocket)
        client.send(FastCGIClient.record(.stdin, Array(payload.prefix(50))))
        usleep(5_000_000)
        client.send(FastCGIClient.record(.stdin, Array(payload.suffix(50))) + FastCGIClient.record(.stdin, []))
        let answer = client.receiveAnswer()
        #expect(answer.contains("Status: 503"))
        #expect(answer.contains("the request took over 3.0 seconds, and was given up while hashing"))
        #expect(lines(stack, with: #"msg="request timed out""#).count == 1)
        #expect(stack.tree.isEmpty)
        #expect(try stack.put(payload).status == 201)
        let page = try stack.request("GET", "/lps/status")
        #expect(
            String(decoding: page.body, as: UTF8.self)
                .range(of: "(?m)^request timeouts: +1$", options: .regularExpression) != nil
        )
    }
}
