import Foundation
import TestSupport
import Testing

/// Restarts and upgrades under load. The load speaks FastCGI itself, without nginx, which would try again.
@Suite(.serialized, .runLimit) struct UpgradeTests {
    private let folder: TemporaryFolder
    private let store: String
    private let socket: String
    /// A program in a place of its own, which an upgrade replaces.
    private let worker: String

    init() throws {
        folder = try TemporaryFolder()
        store = folder.file("store")
        socket = folder.file("lps.sock")
        worker = folder.file("lps-worker")
        #expect(try run(Project.binary("lps"), ["init", "--store", store]).status == 0)
        try install()
    }

    /// Puts the program there, as dpkg does: a new file in the place of the old one.
    private func install() throws {
        // By a process of its own: what this one writes, its children have open for a moment, and could not run it.
        #expect(try run("cp", [Project.binary("lps-worker"), worker + ".new"]).status == 0)
        #expect(rename(worker + ".new", worker) == 0)
    }

    /// Whether a process runs the program that is installed now.
    private func runsInstalled(_ pid: pid_t) -> Bool {
        var (running, installed) = (stat(), stat())
        return stat("/proc/\(pid)/exe", &running) == 0 && stat(worker, &installed) == 0
            && running.st_ino == installed.st_ino
    }

    /// Uploads from eight clients, one after the other each, until `body` is done; every upload must succeed.
    private func underLoad(_ body: @escaping @Sendable () throws -> Void) throws {
        let done = Counter()
        let stored = Counter()
        let socket = self.socket
        try concurrently(9) { client in
            if client == 8 {
                defer { done.add() }
                // A process that ended would be told of by the load first.
                do { try body() } catch { Issue.record(error) }
                let before = stored.value
                try eventually("the load goes on") { stored.value > before + 20 }
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

    @Test func `Under systemd's socket, a new program takes over and no request fails`() throws {
        let process = try ChildProcess(
            "systemd-socket-activate",
            ["--listen=\(socket)", "--setenv=LPS_STORE=\(store)", worker],
            log: folder.file("log")
        )
        try eventually("it listens") { process.log.contains("Listening on") }
        try underLoad {
            try eventually("it serves: \(process.log)") { process.log.contains("msg=serving") }
            for round in 2...4 {
                try self.install()
                #expect(!self.runsInstalled(process.pid))
                process.signal(SIGUSR2)
                try eventually("the new program serves: \(process.log)") {
                    guard process.isRunning else { throw NeverHappened(what: "it ended: \(process.log)") }
                    return process.log.components(separatedBy: "msg=serving").count == round + 1
                }
                #expect(self.runsInstalled(process.pid))
            }
        }
        process.signal(SIGTERM)
        #expect(process.wait() == 0)
    }

    @Test(arguments: [SIGTERM, SIGUSR2])
    func `Under spawn-fcgi and multiwatch, new programs take over one by one and no request fails`(signal: Int32) throws
    {
        let runtime = folder.file("run")
        try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: false)
        let pool = try ChildProcess(
            "spawn-fcgi",
            [
                "-n", "-s", socket, "-b", "4096", "--", "/usr/bin/multiwatch", "--forks=2", "--retry=1000000",
                "--signal=TERM", "--", worker,
            ],
            environment: ["LPS_STORE": store, "LPS_RUNTIME_DIR": runtime],
            log: folder.file("log")
        )
        @Sendable func workers() throws -> [pid_t] {
            try run("pgrep", ["-g", "\(pool.pid)", "-x", "lps-worker"]).output.split(separator: "\n").compactMap {
                pid_t($0)
            }
        }
        @Sendable func serving() -> Int { pool.log.components(separatedBy: "msg=serving").count - 1 }
        try eventually("two workers serve: \(pool.log)") { serving() == 2 }
        try underLoad {
            try self.install()
            for pid in try workers() {
                let before = serving()
                #expect(!self.runsInstalled(pid))
                kill(pid, signal)
                try eventually("its successor serves: \(pool.log)") { serving() == before + 1 }
            }
            for pid in try workers() { #expect(self.runsInstalled(pid)) }
        }
        pool.signal(SIGTERM)
        #expect(pool.wait() == 0)
    }
}
