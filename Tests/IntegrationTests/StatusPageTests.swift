import Foundation
import TestSupport
import Testing

/// The status page, which covers all processes of the pool.
@Suite(.serialized, .runLimit) struct StatusPageTests {
    private struct Status {
        let json: [String: Any]

        /// A number by its path, such as `store.objects`.
        subscript(_ path: String) -> Int? {
            let value = path.split(separator: ".").reduce(json as Any?) { ($0 as? [String: Any])?[String($1)] }
            return value as? Int
        }

        func list(_ name: String) -> [[String: Any]] { json[name] as? [[String: Any]] ?? [] }

        var threads: [[String: Any]] { list("processes").flatMap { $0["threads"] as? [[String: Any]] ?? [] } }

        /// Request counts by endpoint and status, such as `put 201`.
        var requests: [String: Int] {
            let counts = list("requests").map {
                ("\($0["endpoint"] ?? "") \($0["status"] ?? "")", $0["count"] as? Int ?? -1)
            }
            return Dictionary(uniqueKeysWithValues: counts)
        }
    }

    /// Waits for the page: a worker's thread takes it over a moment after the worker serves.
    private func serving(_ stack: Stack) throws -> Stack {
        try eventually("the page is served") { try stack.request("GET", "/lps/status").status == 200 }
        return stack
    }

    private func page(_ stack: Stack, _ query: String = "") throws -> String {
        let answer = try stack.request("GET", "/lps/status\(query)")
        #expect(answer.status == 200)
        return String(decoding: answer.body, as: UTF8.self)
    }

    private func status(_ stack: Stack, _ query: String = "?json") throws -> Status {
        let json = try JSONSerialization.jsonObject(with: Data(page(stack, query).utf8))
        return Status(json: try #require(json as? [String: Any]))
    }

    // MARK: Counting

    @Test func `The counters equal the load on three processes, even after one is killed`() throws {
        let stack = try serving(Stack(workers: 3, options: ["--threads", "4"]))
        let payloads = (0..<20).map { _ in randomPayload(10_000) }
        @Sendable func load() throws {
            try concurrently(8) { client in
                for (index, payload) in payloads.enumerated() {
                    let namespace = "client-\(client)"
                    let first = try stack.put(payload, namespace: namespace)
                    #expect(first.status == 200 || first.status == 201)
                    let again = try stack.put(payload, namespace: namespace)
                    #expect(again.status == 200)
                    let key = try Stack.key(again)
                    #expect(try stack.get(key, length: payload.count).body == payload)
                    #expect(try stack.get(key + "0", length: payload.count).status == 404)
                    #expect(try stack.get(key, length: payload.count + 1).status == 412)
                    if index % 5 == 0 {
                        #expect(try stack.put(payload, digest: Stack.digest([0])).status == 400)
                        #expect(try stack.request("GET", "/v2/blobs/put").status == 405)
                    }
                }
            }
        }
        try load()
        let between = try status(stack)
        for request in ["put 201", "put 200", "get 200"] { #expect(between.requests[request] == 160, "\(request)") }
        #expect(between["bytes_in"] == 320 * 10_000)
        #expect(between["payloads_stored"] == 320)

        let killed = try #require(stack.workers.first)
        try concurrently(2) { part in
            if part == 0 { return try load() }
            try eventually("the load is running") { try self.status(stack).requests["get 200"] ?? 0 > 200 }
            stack.stop(killed, SIGKILL)
        }
        try stack.startWorkers(1)
        let after = try status(stack)

        // When a process dies, nginx retries the requests that it counted but did not answer, at most one per thread,
        // and another process counts them again.
        func expect(_ counted: Int?, _ expected: Int, each: Int = 1, _ what: String) {
            let isRight = (expected...expected + 4 * each).contains(counted ?? -1)
            #expect(isRight, "\(what): \(counted ?? -1), expected \(expected)")
        }
        for (request, expected) in [
            ("put 201", 160), ("put 200", 480), ("put 400", 64), ("put 405", 64), ("get 200", 320), ("get 404", 320),
            ("get 412", 320),
        ] {
            expect(after.requests[request], expected, request)
        }
        for (count, expected, each) in [
            ("bytes_in", 640 * 10_000, 10_000), ("bytes_out", 320 * 10_000, 10_000), ("payloads_stored", 640, 1),
            ("checksum_mismatches", 64, 1), ("hash.count", 640 + 64, 1), ("commit.count", 640, 1),
        ] {
            expect(after[count], expected, each: each, count)
        }
        // Each of the twenty contents is new once, but of several simultaneous uploads each may count as the first.
        let stored = try #require(after["payloads_stored"])
        #expect((stored - 164...stored - 20).contains(try #require(after["payloads_deduplicated"])))
        let puts = after.requests.filter { $0.key.hasPrefix("put ") }.values.reduce(0, +)
        let put = try #require(after.list("endpoints").first { $0["endpoint"] as? String == "put" })
        expect(Status(json: put)["duration.count"], puts - 4, "durations")

        let pids = after.list("processes").compactMap { $0["pid"] as? Int }
        #expect(pids.count == 3 && !pids.contains(Int(killed.pid)))
        for (count, expected) in [("starts", 4), ("restarts", 1), ("deaths", 1)] {
            #expect(after[count] == expected, "\(count)")
        }
        #expect(try #require(after["threads_idle"]) + #require(after["threads_busy"]) == 12)
        for (request, count) in between.requests {
            #expect(after.requests[request] ?? 0 >= count, "a counter went backwards")
        }
    }

    @Test func `Counters outlive every process of the pool`() throws {
        let stack = try serving(Stack(workers: 2))
        #expect(try stack.put([1, 2, 3]).status == 201)
        for worker in stack.workers { stack.stop(worker, SIGKILL) }
        try stack.startWorkers(1)
        try eventually("the new process serves the page") { try stack.request("GET", "/lps/status").status == 200 }
        let status = try self.status(stack)
        #expect(status.requests["put 201"] == 1)
        #expect(status["deaths"] == 2)
    }

    // MARK: Answering

    @Test func `The page answers while every thread is busy, and shows what each is doing`() throws {
        let stack = try serving(Stack(.plain, workers: 2, options: ["--threads", "2"]))
        let payload = randomPayload(1000)
        let digest = Stack.digest(payload)
        let uploads = try (0..<4).map { number in
            try FastCGIClient(
                uploading: payload,
                namespace: "slow é",
                requestID: "request-\(number)",
                to: stack.workerSocket
            )
        }
        let waiting = try FastCGIClient(stack.workerSocket)
        try eventually("all four threads are hashing") {
            try self.status(stack, "?json&full").threads.allSatisfy { $0["state"] as? String == "hashing" }
        }
        let status = try self.status(stack, "?full&json")
        for (count, expected) in [("threads_busy", 4), ("threads_idle", 0), ("listen_queue.waiting", 1)] {
            #expect(status[count] == expected, "\(count)")
        }
        let ids = status.threads.compactMap { $0["request_id"] as? String }
        #expect(ids.sorted() == ["request-0", "request-1", "request-2", "request-3"])
        for thread in status.threads {
            for (name, expected) in [
                ("method", "PUT"), ("path", "/v2/blobs/put"), ("namespace", "slow%20%C3%A9"), ("digest", digest),
            ] {
                #expect(thread[name] as? String == expected, "\(name)")
            }
            #expect(thread["request_seconds"] as? Double ?? 0 > 0)
        }
        let rows = try page(stack, "?full").split(separator: "\n").filter { $0.contains(" hashing ") }
        #expect(rows.count == 4)
        #expect(rows.allSatisfy { $0.contains("PUT") && $0.contains(digest) && $0.contains("slow%20%C3%A9") })
        for upload in uploads {
            upload.send(FastCGIClient.record(.stdin, payload) + FastCGIClient.record(.stdin, []))
            #expect(upload.receiveAnswer().contains("Status: 20"))
        }
        withExtendedLifetime(waiting) {}
    }

    @Test func `When the process that serves the page stops or dies, another takes over`() throws {
        let stack = try serving(Stack(workers: 3))
        for signal in [SIGKILL, SIGTERM] {
            var leader: ChildProcess?
            try eventually("one process logs that it serves the page") {
                leader = stack.workers.first { $0.log.contains("serving the pool's status page") }
                return leader != nil
            }
            stack.stop(try #require(leader), signal)
            try eventually("another process serves the page") { try stack.request("GET", "/lps/status").status == 200 }
        }
        #expect(try status(stack).list("processes").count == 1)
    }

    @Test func `The store is measured, and the next measurement omits deleted objects`() throws {
        let stack = try serving(Stack(options: ["--measure-interval", "1s"]))
        let payload = randomPayload(100_000)
        let key = try Stack.key(stack.put(payload))
        try eventually("the store is measured") { try status(stack)["store.objects"] == 1 }
        #expect(try #require(status(stack)["store.bytes"]) >= 100_000)
        #expect(try run(Project.binary("lps"), ["rm", "--store", stack.store, key]).status == 0)
        try eventually("the store is measured again") { try status(stack)["store.objects"] == 0 }
    }

    /// An interval of `0` stands for a bucket, which is never measured. A disk is measured at once, however recently
    /// another one was.
    @Test(arguments: [("0", nil), ("1h", 0)] as [(String, Int?)])
    func `After a move to another store, the page does not show the first one's figures`(
        interval: String,
        objects: Int?
    ) throws {
        let stack = try serving(Stack(options: ["--measure-interval", "1h"]))
        #expect(try stack.put(randomPayload(100_000)).status == 201)
        try eventually("the store is measured") { try status(stack)["store.objects"] != nil }
        let other = stack.folder.file("other")
        #expect(try run(Project.binary("lps"), ["init", "--store", other]).status == 0)
        stack.stop(stack.workers[0])
        let worker = try ChildProcess(
            Project.binary("lps-worker"),
            [
                "--store", other, "--listen", stack.folder.file("other.sock"), "--runtime-dir",
                stack.folder.file("pool"), "--measure-interval", interval,
            ],
            log: stack.folder.file("other.log")
        )
        try eventually("the page is served: \(worker.log)") { try stack.request("GET", "/lps/status").status == 200 }
        if objects != nil { try eventually("the store is measured") { try status(stack)["store.objects"] != nil } }
        #expect(try status(stack)["store.objects"] == objects)
        #expect(try status(stack)["store.bytes"] == objects.map { _ in 0 })
    }

    @Test func `Only the site for the status page shows it, and only to this machine`() throws {
        let site = try Project.text("nginx/status-site.conf").split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(site.filter { $0.contains("listen") } == ["    listen 127.0.0.1:8579;"])
        for file in ["site", "server", "codec", "s3"] {
            let text = try Project.text("nginx/\(file).conf")
            #expect(!text.contains("lps/status"), "\(file)")
        }
    }

    @Test(arguments: ["GET", "HEAD"])
    func `Load balancers can probe whether the pool answers and whether it is ready`(method: String) throws {
        let stack = try serving(Stack())
        for (path, text) in [("/lps/ping", "pong\n"), ("/lps/ready", "ready\n")] {
            let answer = try stack.request(method, path)
            #expect(answer.status == 200)
            #expect(answer.text == (method == "GET" ? text : ""))
            #expect(answer.headers["content-length"] == "\(text.utf8.count)")
            expectError(try stack.request("POST", path), 405, nil, path)
        }
        #expect(try status(stack).requests["ping 200"] == 1)
    }

    @Test func `A pool without its store answers pings, but is not ready`() throws {
        let stack = try serving(Stack())
        try FileManager.default.moveItem(atPath: "\(stack.store)/objects", toPath: "\(stack.store)/elsewhere")
        #expect(try stack.request("GET", "/lps/ping").status == 200)
        for method in ["GET", "HEAD"] { #expect(try stack.request(method, "/lps/ready").status == 503) }
        #expect(try stack.request("HEAD", "/v2/health/head").status == 503)
    }

    @Test func `Without a worker, probes and the status page answer one line of text`() throws {
        let stack = try Stack()
        for worker in stack.workers { stack.stop(worker) }
        try FileManager.default.removeItem(atPath: stack.workerSocket)
        for path in ["/lps/ping", "/lps/ready", "/lps/status"] {
            let answer = try stack.request("GET", path)
            expectError(answer, 503, "no worker of the large payload service answers", path)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can mount"))
    func `A full runtime file system stops neither workers nor the status page`() throws {
        let folder = try TemporaryFolder()
        let runtime = folder.file("run")
        try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: false)
        #expect(try run("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", runtime]).status == 0)
        defer { _ = try? run("umount", ["-l", runtime]) }
        let worker = try LoneWorker(folder, ["--runtime-dir", runtime])
        try eventually("the worker serves the page: \(worker.log)") {
            worker.log.contains("serving the pool's status page")
        }
        #expect(
            try run("dd", ["if=/dev/zero", "of=\(runtime)/ballast", "bs=4k"]).status != 0,
            "the file system is full"
        )
        for query in ["", "full", "json", "openmetrics"] {
            let answer = try LoneWorker.ask("\(runtime)/status.sock", "GET", "/lps/status", ["QUERY_STRING": query])
            #expect(answer.contains("Status: 200"))
        }
        // It serves, but is missing from the page.
        let second = try LoneWorker(folder, name: "two", ["--runtime-dir", runtime])
        #expect(second.log.contains("level=error") && second.log.contains("No space left on device"))
        second.stop()
        unlink("\(runtime)/ballast")
        try LoneWorker(folder, name: "two", ["--runtime-dir", runtime]).expectServing()
        #expect(worker.process.isRunning)
    }

    @Test func `A page whose socket is in use is served once the socket is free`() throws {
        let folder = try TemporaryFolder()
        let runtime = folder.file("run")
        try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: false)
        let other = try listenUnix("\(runtime)/status.sock")
        let worker = try LoneWorker(folder, ["--runtime-dir", runtime])
        try eventually("the worker logs it: \(worker.log)") { worker.log.contains("cannot serve the status page yet") }
        close(other)
        try eventually("the worker serves the page: \(worker.log)") {
            worker.log.contains("serving the pool's status page")
        }
    }
}
