import Foundation
import TestSupport
import Testing

/// Workers at the system's limits: descriptors (RLIMIT_NOFILE) and threads (RLIMIT_NPROC).
@Suite(.serialized, .runLimit) struct ResourceLimitTests {
    /// Sets only the soft limit, so that it can be raised again.
    private func limitFiles(of worker: ChildProcess, to limit: Int) throws {
        let set = try run("prlimit", ["--pid", "\(worker.pid)", "--nofile=\(limit):"])
        #expect(set.status == 0, "\(set.output)")
    }

    private func openFiles(of worker: ChildProcess) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker.pid)/fd").count
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A worker out of descriptors under load refuses requests, loses nothing and recovers`(
        mode: Stack.Mode
    ) throws {
        // Enough for the sixteen threads and one request, but not for sixteen requests.
        let unlimited = try Stack(mode)
        let limit = try withExtendedLifetime(unlimited) { try openFiles(of: unlimited.workers[0]) + 32 }
        let stack = try Stack(mode, launcher: ["prlimit", "--nofile=\(limit):\(limit)"])
        let worker = stack.workers[0]
        let before = randomPayload(50_000)
        let key = try stack.store(before)
        let idle = try openFiles(of: worker)
        try #require(limit > idle + 20)
        let taken = Taken()
        let refused = Counter()
        @Sendable func expectTrueOrRefused(_ answer: HTTPAnswer, _ expected: [Int]) -> Bool {
            if expected.contains(answer.status) { return true }
            refused.add()
            expectError(answer, 503, "too many files are open, try again", "\(answer.status)")
            return false
        }
        try concurrently(32) { index in
            for round in 0..<8 {
                let payload = randomPayload(20_000)
                // Each payload needs folders of its own.
                let answer = try stack.put(payload, namespace: "n\(index)-\(round)")
                if expectTrueOrRefused(answer, [201]) { taken.add(try Stack.key(answer), payload) }
                let fetched = try stack.get(key, length: before.count)
                if expectTrueOrRefused(fetched, [200]) {
                    let isWhole = fetched.body == before
                    #expect(isWhole)
                }
            }
        }
        #expect(refused.value > 0)
        #expect(worker.log.contains("Too many open files"))
        let alone = randomPayload(20_000)
        try eventually("threads close their files after they answer") {
            let answer = try stack.put(alone)
            if expectTrueOrRefused(answer, [201]) { taken.add(try Stack.key(answer), alone) }
            return answer.status != 503
        }
        // Without a free descriptor, no request is answered until the limit is raised.
        try limitFiles(of: worker, to: 3)
        let answered = Counter()
        try concurrently(2) { index in
            if index == 0 {
                #expect(try stack.put(randomPayload(1000)).status == 201)
                answered.add()
            } else {
                try eventually("the worker can't accept a connection") {
                    worker.log.contains("cannot accept a connection")
                }
                #expect(answered.value == 0)
                try limitFiles(of: worker, to: limit)
            }
        }
        #expect(try stack.put(before).status == 200)
        for (key, payload) in taken.payloads {
            let isWhole = try stack.get(key, length: payload.count).body == payload
            #expect(isWhole, "\(key)")
        }
        #expect(worker.isRunning)
        try stack.expectNothingIncoming()
        try eventually("only folders stay open") {
            let folder = "/proc/\(worker.pid)/fd"
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            return names.filter { !isFolder("\(folder)/\($0)") }.count <= idle
        }
    }

    private func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    @Test func `The longest prefix needs no more descriptors than any other`() throws {
        let usual = try Stack()
        let limit = try withExtendedLifetime(usual) { try openFiles(of: usual.workers[0]) + 20 }
        let stack = try Stack(launcher: ["prlimit", "--nofile=\(limit):\(limit)"])
        let payload = randomPayload(1000)
        let key = try stack.store(payload, prefix: Array(repeating: "p", count: 256).joined(separator: "/"))
        #expect(try stack.get(key, length: payload.count).body == payload)
    }

    @Test func `A worker warns if its open file limit is too low for its threads`() throws {
        let stack = try Stack(options: ["--threads", "2"])
        #expect(!stack.workerLog.contains("open file limit too low"))
        let socket = stack.folder.file("low.sock")
        let command = [Project.binary("lps-worker"), "--store", stack.store, "--listen", socket]
        let worker = try ChildProcess("prlimit", ["--nofile=256:256"] + command, log: stack.folder.file("low.log"))
        try worker.waitUntilServing()
        #expect(worker.log.contains("msg=\"open file limit too low for the number of threads\" limit=256 needed=424"))
        worker.stop()
    }

    @Test(.enabled(if: geteuid() == 0, "only root can start a worker as another user"))
    func `A worker refuses to start with too few threads, and needs no more once it serves`() throws {
        let stack = try Stack()
        let payload = randomPayload(1000)
        let key = try stack.store(payload)
        // A user of its own: the limit counts all threads of a user, and does not apply to root.
        let user = Int.random(in: 61_000...64_000)
        #expect(try run("chown", ["-R", "\(user)", stack.store]).status == 0)
        chmod(stack.folder.path, 0o711)
        let runtime = stack.folder.file("limited")
        #expect(mkdir(runtime, 0o700) == 0 && chown(runtime, uid_t(user), gid_t(user)) == 0)
        let socket = "\(runtime)/s"
        func start(threads limit: Int) throws -> ChildProcess {
            let worker = try ChildProcess(
                "setpriv",
                [
                    "--reuid=\(user)", "--clear-groups", "prlimit", "--nproc=\(limit):\(limit)",
                    Project.binary("lps-worker"), "--store", stack.store, "--listen", socket, "--runtime-dir", runtime,
                    "--measure-interval", "0",
                ],
                log: stack.folder.file("limit-\(limit).log")
            )
            try eventually("the worker serves or ends: \(worker.log)") {
                worker.log.contains("msg=serving") || !worker.isRunning
            }
            return worker
        }
        var limit = 1
        var worker = try start(threads: limit)
        while !worker.isRunning {
            #expect(worker.wait() == 1, "systemd can retry")
            let lines = worker.log.split(separator: "\n").filter { $0.contains("lps-worker: ") }
            #expect(lines.count == 1 && lines[0].contains("start a thread: Resource temporarily unavailable"))
            limit += 1
            try #require(limit < 64)
            worker = try start(threads: limit)
        }
        #expect(limit > 16)
        try concurrently(64) { _ in
            let client = try FastCGIClient(socket)
            client.send(
                FastCGIClient.head(Stack.getParameters(key, length: 1000)) + FastCGIClient.record(.stdin, [])
            )
            let isAnswered = client.receiveAnswer().hasPrefix("Status: 200 ")
            #expect(isAnswered)
        }
        // Payloads are served even without a status page.
        let errors = worker.log.split(separator: "\n").filter { $0.contains("level=error") }
        #expect(errors.allSatisfy { $0.contains("cannot serve the status page") }, "\(errors)")
        worker.stop()
    }
}
