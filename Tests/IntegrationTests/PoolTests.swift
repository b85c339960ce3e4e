import Foundation
import TestSupport
import Testing

/// How worker processes listen, share a socket, start and stop.
@Suite(.serialized, .runLimit) struct PoolTests {
    private static let worker = Project.binary("lps-worker")

    private let folder: TemporaryFolder
    private let store: String

    init() throws {
        folder = try TemporaryFolder()
        store = folder.file("store")
        #expect(try run(Project.binary("lps"), ["init", "--store", store]).status == 0)
    }

    @Test func `Two workers that share a socket both serve`() throws {
        let stack = try Stack(workers: 2, options: ["--threads", "1"])
        // While one worker is frozen, the other must answer.
        for stopped in stack.workers {
            try stopped.freeze()
            for _ in 0..<5 { #expect(try stack.request("HEAD", "/v2/health/head").status == 200) }
            stopped.signal(SIGCONT)
        }
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Stopping workers one by one under load fails no request`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2)
        let done = Counter()
        let served = Counter()
        try concurrently(9) { index in
            if index == 8 {
                defer { done.add() }
                for signal in [SIGTERM, SIGINT, SIGQUIT, SIGTERM, SIGINT, SIGQUIT] {
                    usleep(100_000)
                    try stack.startWorkers(1)
                    let status = stack.stop(stack.workers[0], signal)
                    #expect(status == 0, "signal \(signal)")
                }
                return
            }
            while done.value == 0 {
                let payload = randomPayload(200_000)
                let answer = try stack.put(payload)
                try #require(answer.status == 201)
                let fetched = try stack.get(Stack.key(answer), length: payload.count)
                let isWhole = fetched.status == 200 && fetched.body == payload
                try #require(isWhole)
                served.add()
            }
        }
        #expect(served.value > 10, "enough requests were served")
    }

    @Test func `A stopping worker finishes its upload and the requests queued on its own socket`() throws {
        let socket = folder.file("lps.sock")
        let worker = try LoneWorker(folder, ["--threads", "1"])
        let payload = randomPayload(60_000)
        let upload = try FastCGIClient(uploading: payload, to: socket)
        try eventually("the upload is in progress") { !files(below: "\(store)/incoming").isEmpty }
        // Accepted by the kernel, and waiting for the only thread.
        let waiting = try FastCGIClient(socket)
        waiting.send(FastCGIClient.head(["REQUEST_METHOD": "HEAD", "SCRIPT_NAME": "/v2/health/head"]))
        waiting.send(FastCGIClient.record(.stdin, []))
        worker.process.signal(SIGTERM)
        try eventually("the worker is stopping") { worker.log.contains("stopping") }
        #expect(worker.process.isRunning)
        upload.send(FastCGIClient.record(.stdin, payload))
        upload.send(FastCGIClient.record(.stdin, []))
        #expect(upload.receiveAnswer().hasPrefix("Status: 201 "))
        #expect(waiting.receiveAnswer().hasPrefix("Status: 200 "))
        #expect(worker.process.wait() == 0)
        #expect(!FileManager.default.fileExists(atPath: socket))
    }

    @Test func `A second signal ends a worker at once`() throws {
        let socket = folder.file("lps.sock")
        let worker = try LoneWorker(folder)
        let unfinished = try FastCGIClient(socket)
        unfinished.send(Array(FastCGIClient.head(["REQUEST_METHOD": "PUT"]).prefix(10)))
        usleep(100_000)
        worker.process.signal(SIGTERM)
        try eventually("the worker is stopping") { worker.log.contains("stopping") }
        #expect(worker.process.isRunning)
        worker.process.signal(SIGTERM)
        #expect(worker.process.wait() == 128 + SIGTERM)
    }

    @Test func `A Unix socket gets the configured mode and owner`() throws {
        let socket = folder.file("lps.sock")
        let options = ["--listen-mode", "0606", "--listen-owner", "\(geteuid())", "--listen-group", "\(getegid())"]
        let worker = try LoneWorker(folder, options)
        var status = stat()
        #expect(lstat(socket, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o606)
        try worker.expectServing()
        worker.stop()
    }

    @Test func `spawn-fcgi and multiwatch run a pool on descriptor 0`() throws {
        let socket = folder.file("lps.sock")
        let pool = try ChildProcess(
            "spawn-fcgi",
            ["-n", "-s", socket, "--", "/usr/bin/multiwatch", "--forks=2", "--signal=TERM", "--", Self.worker],
            environment: ["LPS_STORE": store],
            log: folder.file("log")
        )
        try eventually("two workers serve: \(pool.log)") { pool.count("msg=serving") == 2 }
        #expect(pool.log.contains("inherited descriptor 0"))
        #expect(try LoneWorker.ask(socket, "HEAD", "/v2/health/head").hasPrefix("Status: 200 "))
        pool.stop()
        #expect(pool.count("msg=\"stopped: ") == 2)
    }

    @Test func `A worker serves systemd's sockets, and notifies systemd of readiness and stop`() throws {
        let socket = folder.file("lps.sock")
        let notify = try NotifySocket(folder.file("notify.sock"))
        let activate = try ChildProcess(
            "systemd-socket-activate",
            [
                "--listen=\(socket)", "--setenv=LPS_STORE=\(store)", "--setenv=NOTIFY_SOCKET=\(notify.path)",
                Self.worker,
            ],
            log: folder.file("log")
        )
        // systemd-socket-activate becomes the worker at the first connection.
        try eventually("systemd-socket-activate listens: \(activate.log)") { activate.log.contains("Listening on") }
        #expect(try LoneWorker.ask(socket, "HEAD", "/v2/health/head").hasPrefix("Status: 200 "))
        #expect(notify.receive() == "READY=1")
        #expect(activate.log.contains("systemd socket 3"))
        activate.stop()
        #expect(notify.receive() == "STOPPING=1")
    }

    /// A worker that refuses to start gives the reason in one line.
    private func expectRefusal(_ program: String, _ arguments: [String], _ reason: String) throws {
        let ended = try run(program, arguments)
        #expect(ended.status == 78)
        #expect(ended.output.contains(reason), "\(ended.output)")
        #expect(ended.output.split(separator: "\n").count == 1, "\(ended.output)")
    }

    @Test func `A worker refuses to start without a store, without a socket, or on a socket in use`() throws {
        try expectRefusal(Self.worker, ["--store", "/", "--listen", "/tmp/x.sock"], "has no readable layout.json")
        try expectRefusal(Self.worker, ["--store", store], "nothing to listen on")
        let first = try LoneWorker(folder)
        let again = ["--store", store, "--listen", first.socket]
        try expectRefusal(Self.worker, again, "is served by another process")
        try first.expectServing()
    }

    @Test(.enabled(if: geteuid() == 0, "only root can start a worker as another user, and mount"))
    func `A worker refuses to start on a store that it can't write or that spans file systems`() throws {
        chmod(folder.path, 0o755)
        try requireDone("chmod", ["-R", "a+rX", store])
        let nobody = ["--reuid=nobody", "--clear-groups", Self.worker, "--store", store, "--listen", "/tmp/x.sock"]
        let reason = "write to folder incoming/ of store \(store): Permission denied"
        try expectRefusal("setpriv", nobody, reason)
        // In a mount namespace that ends with the process.
        let script = #"mount -t tmpfs none "$2/incoming" && exec "$1" --store "$2" --listen "$2/x.sock""#
        let shared = ["--mount", "sh", "-c", script, "sh", Self.worker, store]
        try expectRefusal("unshare", shared, "spans file systems: incoming/ cannot link into objects/")
    }

    @Test(.enabled(if: geteuid() == 0, "only root can mount"))
    func `A worker starts on a full disk, so that downloads continue`() throws {
        let disk = folder.file("disk")
        #expect(mkdir(disk, 0o700) == 0)
        // A file system without a free inode, in a mount namespace that ends with the process.
        let script = """
            mount -t tmpfs -o nr_inodes=600 none '\(disk)' && '\(Project.binary("lps"))' init --store '\(disk)/s' &&
            { i=0; while mkdir "\(disk)/f$i" 2>/dev/null; do i=$((i+1)); done; } &&
            exec '\(Self.worker)' --store '\(disk)/s' --reserve 0 --listen '\(folder.file("x.sock"))'
            """
        let worker = try ChildProcess("unshare", ["--mount", "sh", "-c", script], log: folder.file("log"))
        try worker.waitUntilServing()
        #expect(worker.log.contains("no space for the file system check"))
        worker.stop()
    }

    @Test func `The worker prints its help and its version`() throws {
        let help = try run(Self.worker, ["--help"])
        #expect(help.status == 0)
        for text in [
            "--store", "--listen", "--threads", "--max-payload", "--reserve", "--log-level", "LPS_STORE", "SIGTERM",
            "(default: 16)",
        ] {
            #expect(help.output.contains(text), "\(text)")
        }
        let version = try run(Self.worker, ["--version"])
        #expect(version.output.hasPrefix("lps-worker "))
        #expect(try run(Self.worker, ["--no-such-option"]).status == 64)
    }
}
