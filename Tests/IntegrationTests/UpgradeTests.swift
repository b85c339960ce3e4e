import Foundation
import TestSupport
import Testing

/// Restarts and upgrades. The load speaks FastCGI itself, because nginx would retry.
@Suite(.serialized, .runLimit) struct UpgradeTests {
    private let folder: TemporaryFolder
    private let store: String
    private let socket: String
    /// A copy of the program, which an upgrade replaces.
    private let worker: String

    init() throws {
        folder = try TemporaryFolder()
        store = folder.file("store")
        socket = folder.file("lps.sock")
        worker = folder.file("lps-worker")
        #expect(try run(Project.binary("lps"), ["init", "--store", store]).status == 0)
        try install()
    }

    /// Installs the program as dpkg does: a new file replaces the old one.
    private func install() throws {
        // Copied by another process: children briefly inherit the files that this one writes, and such a file can't be
        // executed.
        #expect(try run("cp", [Project.binary("lps-worker"), worker + ".new"]).status == 0)
        #expect(rename(worker + ".new", worker) == 0)
    }

    /// Whether a process runs the installed program, rather than a replaced one.
    private func runsInstalled(_ pid: pid_t) -> Bool {
        var (running, installed) = (stat(), stat())
        return stat("/proc/\(pid)/exe", &running) == 0 && stat(worker, &installed) == 0
            && running.st_ino == installed.st_ino
    }

    /// Uploads one payload after the other from each of four clients until `body` is done. Every upload must succeed.
    private func underLoad(_ body: @escaping @Sendable () throws -> Void) throws {
        let done = Counter()
        let stored = Counter()
        let socket = self.socket
        try concurrently(5) { client in
            if client == 4 {
                defer { done.add() }
                // Recorded here, because the load would fail first if a process ended.
                do { try body() } catch { Issue.record(error) }
                let before = stored.value
                try eventually("the load continues") { stored.value > before + 20 }
                return
            }
            var number = 0
            while done.value == 0 {
                number += 1
                let payload = Array("\(client) \(number)".utf8)
                let upload = try FastCGIClient(uploading: payload, to: socket)
                upload.send(FastCGIClient.record(.stdin, payload) + FastCGIClient.record(.stdin, []))
                let answer = upload.receiveAnswer()
                #expect(answer.contains("Status: 201"), "\(answer)")
                stored.add()
            }
        }
    }

    /// A pool of two workers under spawn-fcgi and multiwatch.
    private struct Pool {
        let supervisor: ChildProcess

        /// - Parameter environment: variables in addition to the store and the runtime folder.
        init(_ tests: UpgradeTests, _ environment: [String: String] = [:]) throws {
            let runtime = tests.folder.file("run")
            try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: false)
            supervisor = try ChildProcess(
                "spawn-fcgi",
                [
                    "-n", "-s", tests.socket, "-b", "4096", "--", "/usr/bin/multiwatch", "--forks=2", "--retry=1000000",
                    "--timeout=1000", "--signal=TERM", "--", tests.worker,
                ],
                environment: ["LPS_STORE": tests.store, "LPS_RUNTIME_DIR": runtime].merging(environment) { $1 },
                log: tests.folder.file("log")
            )
            try eventuallyServing(2)
        }

        var workers: [pid_t] {
            get throws {
                try run("pgrep", ["-g", "\(supervisor.pid)", "-x", "lps-worker"]).output.split(separator: "\n")
                    .compactMap { pid_t($0) }
            }
        }

        var serving: Int { supervisor.count("msg=serving") }

        func eventuallyServing(_ count: Int) throws {
            try eventually("\(count) workers have served: \(supervisor.log)") { serving >= count }
        }

        func stop() {
            supervisor.stop()
        }
    }

    @Test(arguments: [SIGTERM, SIGUSR2])
    func `Under spawn-fcgi and multiwatch, an upgrade worker by worker fails no request`(signal: Int32) throws {
        let pool = try Pool(self)
        try underLoad {
            try self.install()
            for pid in try pool.workers {
                let before = pool.serving
                #expect(!self.runsInstalled(pid))
                kill(pid, signal)
                try pool.eventuallyServing(before + 1)
            }
            for pid in try pool.workers { #expect(self.runsInstalled(pid)) }
        }
        pool.stop()
    }

    @Test func `Workers that restart after a number of requests fail no request`() throws {
        let pool = try Pool(self, ["LPS_MAX_REQUESTS": "50"])
        try underLoad { try pool.eventuallyServing(6) }
        #expect(pool.supervisor.log.contains("restarting: finishing requests in progress\" requests="))
        pool.stop()
    }

    @Test func `Behind nginx, no upload or download fails while workers are replaced`() throws {
        let multiwatch = ["multiwatch", "--forks=2", "--retry=1000000", "--timeout=1000", "--signal=TERM", "--"]
        let stack = try Stack(options: ["--max-requests", "50"], launcher: multiwatch)
        defer { stack.stop(stack.workers[0]) }
        let done = Counter()
        try concurrently(5) { client in
            if client == 4 {
                defer { done.add() }
                return try eventually("two workers have restarted") {
                    stack.workerLog.components(separatedBy: "restarting: ").count > 2
                }
            }
            var number = 0
            while done.value == 0 {
                number += 1
                let payload = Array("\(client) \(number)".utf8)
                let answer = try stack.put(payload)
                #expect(answer.status == 201)
                #expect(try stack.get(Stack.key(answer), length: payload.count).body == payload)
            }
        }
        var page = ""
        try eventually("both workers serve") {
            page = try stack.request("GET", "/lps/status").text
            return page.range(of: "(?m)^processes: +2$", options: .regularExpression) != nil
        }
        let restarts = stack.workerLog.components(separatedBy: "restarting: ").count - 1
        #expect(
            page.range(of: "(?m)^process retirements: +\(restarts)$", options: .regularExpression) != nil,
            "\(page)"
        )
    }

    @Test func `While all workers restart at once, requests wait for the next ones`() throws {
        let pool = try Pool(self)
        try underLoad {
            for round in 1...3 {
                for pid in try pool.workers { kill(pid, SIGUSR2) }
                try pool.eventuallyServing(2 + 2 * round)
            }
        }
        pool.stop()
    }

    @Test func `A worker does not restart if the next process would not start`() throws {
        let file = folder.file("lps.conf")
        func configure(_ threads: String) throws {
            try write("LPS_MAX_REQUESTS=3\nLPS_THREADS=\(threads)\n".utf8, to: file)
        }
        try configure("2")
        let worker = try LoneWorker(folder, ["--config", file])
        func refusals() -> Int { worker.count("not restarting, the next process would not start") }
        try configure("many")
        worker.process.signal(SIGUSR2)
        try eventually("SIGUSR2 is refused: \(worker.log)") { refusals() == 1 }
        try eventually("so is the restart after three requests: \(worker.log)") {
            try worker.expectServing()
            return refusals() > 1
        }
        try configure("2")
        worker.process.signal(SIGUSR2)
        #expect(worker.process.wait() == 0)
        #expect(worker.log.contains("restarting: finishing requests in progress\" signal=SIGUSR2"))
        #expect(worker.log.contains("stopped: all requests answered"))
    }
}
