import Foundation
import TestSupport
import Testing

/// The script that `make run` starts after the build.
@Suite(.serialized, .runLimit) struct RunLocalTests {
    private final class Running {
        let folder: TemporaryFolder
        let process: ChildProcess
        let port: UInt16
        let tlsPort: UInt16

        init(engine: [String] = [], prepare: (TemporaryFolder) throws -> Void = { _ in }) throws {
            folder = try TemporaryFolder()
            try prepare(folder)
            let ports = try freePorts(2)
            (port, tlsPort) = (ports[0], ports[1])
            process = try ChildProcess(
                "\(Project.root)/nginx/run-local",
                [
                    Project.binaries, folder.file("lps"), "\(port)", "\(tlsPort)", "2",
                    "http://ui.test:8233 http://other.test",
                ] + engine,
                log: folder.file("log")
            )
            try eventually("the service runs: \(process.log)") {
                guard process.isRunning else { throw NeverHappened(what: "run-local: \(process.log)") }
                return process.log.contains("Ctrl-C stops it.")
            }
        }

        /// The script's children run in sessions of their own, so the script must stop them, even after a failed test.
        deinit {
            let end = Date().addingTimeInterval(30)
            while process.isRunning, Date() < end {
                process.signal(SIGTERM)
                usleep(200_000)
            }
        }

        func expectNothingLeft() throws {
            for name in ["nginx", "lps-worker", "multiwatch", "weed"] {
                #expect(try processes(name).isEmpty, "\(name) still runs")
            }
        }

        /// Processes whose environment or command line names this folder: nginx's master, workers, supervisors.
        func processes(_ name: String) throws -> [pid_t] {
            try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { pid_t($0) }.filter { pid in
                let text = { (file: String) in
                    (try? String(contentsOfFile: "/proc/\(pid)/\(file)", encoding: .utf8)) ?? ""
                }
                return text("environ").contains(self.folder.path) && text("comm").hasPrefix(name)
                    || text("cmdline").contains(self.folder.path) && text("comm").hasPrefix(name)
            }
        }

        func isHealthy(_ url: String) throws -> Bool {
            try run("curl", ["-sfkI", "-o", "/dev/null", "\(url)/v2/health/head"]).status == 0
        }
    }

    private func storeAndFetch(_ running: Running) throws {
        // The commands that the script suggests.
        let text = try #require(running.process.log.components(separatedBy: "In another terminal:\n").last)
        var script = text.components(separatedBy: "\nCtrl-C").first ?? ""
        script = script.replacingOccurrences(of: "curl -i -T", with: "curl -sS -T").replacingOccurrences(
            of: "&digest=sha256:$(sha256sum < hello.txt | cut -d' ' -f1)\"",
            with: "&digest=sha256:$(sha256sum < hello.txt | cut -d' ' -f1)\" > answer"
        )
        script = script.replacingOccurrences(
            of: "'http://127.0.0.1:\(running.port)/v2/blobs/get?key=THE-KEY-FROM-ABOVE'",
            with: "\"http://127.0.0.1:\(running.port)/v2/blobs/get?key=$(cut -d'\"' -f4 answer)\""
        )
        let typed = try run("sh", ["-c", "cd '\(running.folder.path)' && \(script)"])
        #expect(typed.output.contains("HTTP/1.1 200 OK"), "\(typed.output)")
        #expect(typed.output.hasSuffix("hello, world\n"), "\(typed.output)")
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `The service runs over HTTP and TLS, and a signal stops all its processes`(signal: Int32) throws {
        let running = try Running()
        #expect(try running.isHealthy("http://127.0.0.1:\(running.port)"))
        #expect(try running.isHealthy("https://127.0.0.1:\(running.tlsPort)"))
        try storeAndFetch(running)
        try eventually("two workers run") { try running.processes("lps-worker").count == 2 }
        running.process.signal(signal)
        #expect(running.process.wait() == 0)
        try running.expectNothingLeft()
    }

    @Test func `STORE=s3 keeps payloads in the bucket of an engine that runs and stops with the service`() throws {
        let weed = try #require(ProcessInfo.processInfo.environment["LPS_WEED"], "make test installs the engine")
        let running = try Running(engine: [weed, "\(UInt16.random(in: 1_000...1_200) * 8)"])
        try storeAndFetch(running)
        try storeAndFetch(running)
        #expect(!files(below: running.folder.file("lps/cache")).isEmpty, "nginx has cached it")
        #expect(try running.processes("weed").count == 1)
        running.process.stop()
        try running.expectNothingLeft()
    }

    @Test func `A killed worker is restarted`() throws {
        let running = try Running()
        let before = try running.processes("lps-worker")
        for pid in before { kill(pid, SIGKILL) }
        try eventually("two new workers run") {
            let now = try running.processes("lps-worker")
            return now.count == 2 && Set(now).isDisjoint(with: before)
        }
        #expect(try running.isHealthy("http://127.0.0.1:\(running.port)"))
        running.process.stop()
    }

    @Test func `The codec server answers pages of the configured origins only`() throws {
        let running = try Running()
        for (origin, allowed) in [
            ("http://ui.test:8233", true), ("http://other.test", true), ("http://ui.test", false),
            ("https://temporal.example.com", false),
        ] {
            let decoded = try run(
                "curl",
                [
                    "-sSi", "-H", "Origin: \(origin)", "-H", "Content-Type: application/json", "-d",
                    #"{"payloads":[]}"#,
                    "http://127.0.0.1:\(running.port)/codec/decode",
                ]
            ).output
            #expect(decoded.contains("Access-Control-Allow-Origin: \(origin)\r\n") == allowed, "\(decoded)")
            #expect(decoded.hasSuffix(#"{"payloads":[]}"#) == allowed, "\(decoded)")
        }
        running.process.stop()
    }

    @Test func `A second run in the same folder is refused, and the first keeps serving`() throws {
        let first = try Running()
        let ports = try freePorts(2)
        let second = try run(
            "\(Project.root)/nginx/run-local",
            [Project.binaries, first.folder.file("lps"), "\(ports[0])", "\(ports[1])", "1"]
        )
        #expect(second.status == 1)
        #expect(second.output.contains("is in use by another run"))
        #expect(try first.isHealthy("http://127.0.0.1:\(first.port)"))
        first.process.stop()
    }

    @Test func `A second signal stops nginx without waiting for a slow client`() throws {
        let running = try Running()
        let large = running.folder.file("large")
        try write([], to: large)
        #expect(truncate(large, 900_000_000) == 0)
        let client = try ChildProcess(
            "curl",
            [
                "-sS", "--limit-rate", "1m", "-T", large,
                "http://127.0.0.1:\(running.port)/v2/blobs/put",
            ],
            log: running.folder.file("client.log")
        )
        try eventually("the upload is in progress") { !files(below: running.folder.file("lps/store/incoming")).isEmpty }
        running.process.signal(SIGTERM)
        usleep(300_000)
        #expect(running.process.isRunning)
        try eventually("the service has stopped") {
            running.process.signal(SIGTERM)
            return !running.process.isRunning
        }
        #expect(running.process.wait() == 0)
        #expect(try running.processes("nginx").isEmpty)
        withExtendedLifetime(client) {}
    }

    @Test func `Payloads survive a restart`() throws {
        let first = try Running()
        try storeAndFetch(first)
        first.process.signal(SIGTERM)
        first.process.wait()
        let second = try Running { folder in
            #expect(rename(first.folder.file("lps"), folder.file("lps")) == 0)
        }
        #expect(!files(below: second.folder.file("lps/store/objects")).isEmpty)
        try storeAndFetch(second)
        second.process.stop()
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func `The service runs without root`() throws {
        // The project may be in a folder that only root can read.
        let copies = try TemporaryFolder()
        let folder = try TemporaryFolder()
        // Otherwise they are deleted after their last use here.
        defer { withExtendedLifetime((copies, folder)) {} }
        #expect(chmod(copies.path, 0o755) == 0)
        #expect(try run("cp", ["-R", "\(Project.root)/nginx", copies.path]).status == 0)
        #expect(try run("chmod", ["-R", "a+rX", copies.path]).status == 0)
        for name in ["lps", "lps-worker"] {
            #expect(try run("install", ["-m", "0755", Project.binary(name), copies.file(name)]).status == 0)
        }
        #expect(try run("chown", ["nobody", folder.path]).status == 0)
        let ports = try freePorts(2)
        let process = try ChildProcess(
            "setpriv",
            [
                "--reuid=nobody", "--regid=nogroup", "--clear-groups", copies.file("nginx/run-local"), copies.path,
                folder.file("lps"),
                "\(ports[0])", "\(ports[1])", "1",
            ],
            log: copies.file("log")
        )
        try eventually("the service runs: \(process.log)") {
            guard process.isRunning else { throw NeverHappened(what: "run-local: \(process.log)") }
            return process.log.contains("Ctrl-C stops it.")
        }
        process.stop()
    }
}
