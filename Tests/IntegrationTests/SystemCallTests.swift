import Foundation
import TestSupport
import Testing

/// The system calls that the programs make, against those that their units allow. A call that is forbidden answers EPERM
/// there, which no other test would see.
@Suite(.serialized, .runLimit) struct SystemCallTests {
    private let stack: Stack
    private let content = randomPayload(300_000)

    init() throws {
        stack = try Stack()
    }

    @Test func `A worker makes no system call in its whole life that its unit forbids`() throws {
        let policy = try stack.policy("[default]\nquota = 1g\n")
        let made = try callsOfWorker("LPS_STORE=\(stack.store)\nLPS_POLICY=\(policy)\n")
        // It was seen at work: without these, it would not have stored, synced, served or watched anything.
        let some: Set = [
            "accept4", "openat2", "linkat", "fdatasync", "flock", "sendto", "socket", "rt_sigtimedwait", "clone3",
        ]
        #expect(some.subtracting(made).isEmpty, "\(some.subtracting(made))")
        let forbidden = try made.subtracting(allowedSystemCalls("lps-worker@.service"))
        #expect(forbidden.isEmpty, "\(forbidden.sorted())")
    }

    @Test(.enabled(if: SeaweedFS.isInstalled, "make test installs it"))
    func `With a store in a bucket, no service makes a system call that its unit forbids`() throws {
        let engine = try TestEngine.shared
        // By its name, which is looked up.
        let bucket = engine.storeURL(prefix: "calls").replacingOccurrences(of: "//127.0.0.1", with: "//localhost")
        let credentials = engine.environment.map { "\($0)=\($1)\n" }.joined()
        let settings = "LPS_STORE=\(bucket)\nLPS_INCOMING=\(stack.store)/incoming\n" + credentials
        let made = try callsOfWorker(settings)
        #expect(made.isSuperset(of: ["connect", "sendto", "recvfrom", "poll"]), "\(made.sorted())")
        let forbidden = try made.subtracting(allowedSystemCalls("lps-worker@.service", isInBucket: true))
        #expect(forbidden.isEmpty, "\(forbidden.sorted())")

        let environment = try engine.environment.merging([
            "LPS_STORE": bucket, "LPS_POLICY": stack.policy("[ns]\nretention = 45d\n"), "LPS_GC_OLDER_THAN": "60d",
            "LPS_GC_KEEP_TRASH": "3d", "LPS_SCRUB_RATE": "50m",
        ]) { $1 }
        for unit in ["lps-gc.service", "lps-scrub.service"] {
            for command in try commands(of: unit) {
                let calls = SystemCallCount(stack.folder)
                let program = try calls.start("/bin/sh", ["-c", "exec \(command)"], environment: environment)
                #expect(program.wait() == 0, "\(program.log)")
                let forbidden = try calls.take().subtracting(allowedSystemCalls(unit, isInBucket: true))
                #expect(forbidden.isEmpty, "\(unit): \(forbidden.sorted())")
            }
        }
    }

    /// What a worker calls from its start to its end, over reloads, until SIGUSR2.
    private func callsOfWorker(_ settings: String) throws -> Set<String> {
        let config = stack.folder.file("worker.conf")
        let logs = ["LPS_ERROR_LOG", "LPS_ACCESS_LOG"].map { "\($0)=\(stack.folder.file($0))\n" }.joined()
        let often = "LPS_MEASURE_INTERVAL=1s\n"
        try (settings + often + logs).write(toFile: config, atomically: true, encoding: .utf8)
        let runtime = stack.folder.file("traced-pool")
        try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: true)
        let socket = stack.folder.file("traced.sock")
        let listener = try listenUnix(socket)
        defer { close(listener) }
        let notify = try NotifySocket(stack.folder.file("notify"))
        let pings = Counter()
        // systemd reads all: a queue that is full would stop the worker.
        Thread {
            var heard = " "
            while !heard.isEmpty {
                heard = notify.receive()
                if heard == "WATCHDOG=1" { pings.add() }
            }
        }.start()
        let calls = SystemCallCount(stack.folder)
        let worker = try calls.start(
            Project.binary("lps-worker"),
            ["--config", config, "--runtime-dir", runtime],
            environment: ["NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "200000"],
            standardInput: listener
        )
        try eventually("it serves: \(worker.log)") {
            guard worker.isRunning else { throw NeverHappened(what: "the worker ended: \(worker.log)") }
            return (try? String(contentsOfFile: stack.folder.file("LPS_ERROR_LOG"), encoding: .utf8))?
                .contains("msg=serving") == true
        }
        try useEverything(socket, runtime)
        worker.signal(SIGHUP)
        try eventually("the watchdog is fed") { pings.value > 3 }
        worker.signal(SIGUSR1)
        try useEverything(socket, runtime)
        worker.signal(SIGUSR2)
        #expect(worker.wait() == 0)
        return try calls.take()
    }

    @Test(arguments: ["lps-gc.service", "lps-scrub.service"])
    func `A timer's service makes no system call that its unit forbids`(unit: String) throws {
        let key = try stack.store(content, namespace: "old")
        try stack.makeOld(key, seconds: 10_000_000)
        let damaged = try stack.object(of: stack.store(randomPayload(5000), namespace: "damaged"))
        chmod(damaged, 0o640)
        try write(randomPayload(5000), to: damaged)
        let policy = try stack.policy("[default]\nretention = 45d\n[old]\nretention = 30d\n")
        let config = stack.folder.file("settings")
        let settings = """
            LPS_POLICY=\(policy)
            LPS_GC_OLDER_THAN=60d
            LPS_GC_KEEP_TRASH=3d
            LPS_SCRUB_RATE=50m
            LPS_RUNTIME_DIR=\(stack.folder.file("pool"))
            """
        try write(settings.utf8, to: config)
        let environment = ["LPS_STORE": stack.store, "LPS_CONFIG": config]
        var made: Set<String> = []
        for command in try commands(of: unit) {
            let calls = SystemCallCount(stack.folder)
            // As systemd does it: without a shell of its own.
            let program = try calls.start("/bin/sh", ["-c", "exec \(command)"], environment: environment)
            let status = program.wait()
            // A scrub that has found damage says so.
            #expect(status == (unit == "lps-scrub.service" ? 1 : 0), "\(program.log)")
            made.formUnion(try calls.take())
        }
        // It was seen at work: without these, it would not have moved or synced anything.
        let some: Set = ["openat2", "flock", "renameat", "fsync"]
        #expect(some.subtracting(made).isEmpty, "\(made.sorted())")
        if unit == "lps-gc.service" { #expect(made.contains("syncfs"), "\(made.sorted())") }
        let forbidden = try made.subtracting(allowedSystemCalls(unit))
        #expect(forbidden.isEmpty, "\(forbidden.sorted())")
    }

    @Test func `The units allow none of the calls that break-ins begin with`() throws {
        for unit in ["lps-worker@.service", "lps-gc.service", "lps-scrub.service"] {
            let allowed = try allowedSystemCalls(unit)
            let known: Set = [
                "ptrace", "process_vm_readv", "process_vm_writev", "io_uring_setup", "add_key", "keyctl", "userfaultfd",
                "bpf", "perf_event_open", "mount", "chown", "fchownat", "setuid", "init_module", "open_by_handle_at",
                "personality", "kexec_load", "vmsplice", "shmget", "sethostname", "clock_settime", "swapon",
            ]
            #expect(known.intersection(allowed).isEmpty, "\(unit)")
            #expect(allowed.contains("accept4") == (unit == "lps-worker@.service"), "\(unit)")
            #expect(allowed.count > 150, "\(unit): groups, not a list of what was seen once")
        }
    }

    // MARK: A worker at work

    /// Uploads in both ways, downloads in both ways, errors, the codec server, and what watches the pool.
    private func useEverything(_ socket: String, _ runtime: String) throws {
        let isTaken = ["Status: 201", "Status: 200"]
        for (handedOver, payload) in [(true, content), (false, content + [1]), (true, randomPayload(1)), (false, [])] {
            let target = Stack.putTarget(namespace: "ns", digest: Stack.digest(payload))
            var parameters = [
                "CONTENT_TYPE": "application/octet-stream", "CONTENT_LENGTH": "\(payload.count)",
                "HTTP_X_TEMPORAL_METADATA": "e30=",
            ]
            if handedOver { parameters["REQUEST_BODY_FILE"] = try incoming(payload) }
            let answer = try ask(socket, "PUT", target, parameters, body: handedOver ? [] : payload)
            #expect(isTaken.contains { answer.hasPrefix($0) }, "\(answer)")
            let key = try Stack.key(Array(answer.components(separatedBy: "\r\n\r\n")[1].utf8))
            for more in [[:], ["LPS_ACCEL_PREFIX": "/lps-internal"], ["HTTP_RANGE": "bytes=0-0"]] {
                let headers = [
                    "CONTENT_TYPE": "application/octet-stream",
                    "HTTP_X_PAYLOAD_EXPECTED_CONTENT_LENGTH": "\(payload.count)",
                ].merging(more) { $1 }
                let fetched = try ask(socket, "GET", Stack.getTarget(key), headers)
                #expect(["Status: 200", "Status: 206", "Status: 416"].contains { fetched.hasPrefix($0) }, "\(fetched)")
            }
            parameters["REQUEST_BODY_FILE"] = handedOver ? try incoming(payload + [7]) : nil
            #expect(try ask(socket, "PUT", target, parameters, body: payload + [7]).hasPrefix("Status: 400"))
        }
        for (method, target, expected) in [
            ("HEAD", "/v2/health/head", "Status: 200"), ("GET", "/lps/ping", "Status: 200"),
            ("GET", Stack.getTarget("/blobs/ns/common/sha256:x/sha256:y"), "Status: 400"),
            ("POST", "/v2/blobs/put", "Status: 405"),
        ] {
            let answer = try ask(socket, method, target)
            #expect(answer.hasPrefix(expected), "\(target): \(answer)")
        }
        var body = try JSONPayloads([JSONPayload(content)]).json
        for operation in ["encode", "decode"] {
            let parameters = [
                "LPS_CODEC_PREFIX": "/codec", "HTTP_X_NAMESPACE": "ns", "CONTENT_LENGTH": "\(body.count)",
            ]
            let answer = try ask(socket, "POST", "/codec/\(operation)", parameters, body: body)
            try #require(answer.hasPrefix("Status: 200"), "\(answer.prefix(300))")
            body = Array(answer[try #require(answer.range(of: "\r\n\r\n")).upperBound...].utf8)
        }
        // With netlink's answer to how many connections wait.
        let status = try ask("\(runtime)/status.sock", "GET", "/lps/status?json&full")
        #expect(status.contains("\"listen_queue\":{"), "\(status.prefix(500))")
    }

    /// A body as nginx hands it over.
    private func incoming(_ payload: [UInt8]) throws -> String {
        let path = "\(stack.store)/incoming/\(UUID().uuidString)"
        try write(payload, to: path)
        return path
    }

    private func ask(
        _ socket: String,
        _ method: String,
        _ target: String,
        _ parameters: [String: String] = [:],
        body: [UInt8] = []
    ) throws -> String {
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        let line = ["REQUEST_METHOD": method, "SCRIPT_NAME": parts[0], "QUERY_STRING": parts.dropFirst().first ?? ""]
        let client = try FastCGIClient(socket)
        client.send(FastCGIClient.head(parameters.merging(line) { $1 }))
        for start in stride(from: 0, to: body.count, by: 60_000) {
            client.send(FastCGIClient.record(.stdin, Array(body[start..<min(start + 60_000, body.count)])))
        }
        client.send(FastCGIClient.record(.stdin, []))
        return client.receiveAnswer()
    }

    /// What a unit runs, for a shell.
    private func commands(of unit: String) throws -> [String] {
        try Project.text("systemd/\(unit)").split(separator: "\n")
            .filter { $0.hasPrefix("ExecStart=") || $0.hasPrefix("ExecCondition=") }
            .map {
                $0.drop { $0 != "=" }.dropFirst()
                    .replacingOccurrences(of: "/usr/bin/", with: "\(Project.binaries)/")
            }
    }
}

/// Which system calls a unit's filter allows (`SystemCallFilter=` of systemd.exec(5)).
///
/// - Parameter isInBucket: whether the S3 form's drop-in is there, too.
private func allowedSystemCalls(_ unit: String, isInBucket: Bool = false) throws -> Set<String> {
    // Some are always allowed.
    var allowed = try expanded("@default")
    for file in ["lps-.service.d/lps.conf", unit] + (isInBucket ? ["s3.conf"] : []) {
        for line in try Project.text("systemd/\(file)").split(separator: "\n") where line.hasPrefix("SystemCallFilter=")
        {
            let words = line.dropFirst("SystemCallFilter=".count).split(separator: " ")
            try #require(!line.contains("~"), "a list of what is allowed")
            for word in words { allowed.formUnion(try expanded(word)) }
        }
    }
    return allowed
}

/// The calls of a group, with those of the groups in it.
private func expanded(_ name: Substring) throws -> Set<String> {
    guard name.hasPrefix("@") else { return [String(name)] }
    let listed = try run("systemd-analyze", ["syscall-filter", "--no-pager", String(name)])
    try #require(listed.status == 0, "\(listed.output)")
    let members = listed.output.split(separator: "\n").dropFirst().map { $0.drop { $0 == " " } }
    return try members.filter { !$0.hasPrefix("#") }.reduce(into: []) { $0.formUnion(try expanded($1)) }
}

/// The kinds of system calls that a program and all its threads and children make (strace(1)).
private struct SystemCallCount {
    private let output: String

    init(_ folder: TemporaryFolder) { output = folder.file("calls-\(UUID().uuidString)") }

    /// Starts a program under strace, which stays behind it: the program is this process's child.
    func start(
        _ program: String,
        _ arguments: [String],
        environment: [String: String],
        standardInput: Int32? = nil
    ) throws -> ChildProcess {
        try ChildProcess(
            "strace",
            ["-f", "-D", "-qq", "-c", "-U", "name", "-o", output, program] + arguments,
            environment: environment,
            standardInput: standardInput,
            log: output + ".log"
        )
    }

    /// The names of the calls, when the program has ended.
    func take() throws -> Set<String> {
        var text = ""
        // Written when strace has seen the end, too.
        try eventually("strace tells the calls") {
            text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
            return text.hasSuffix("\n") && text.split(separator: "\n").count > 3
        }
        let lines = text.split(separator: "\n").drop { !$0.hasPrefix("----") }.dropFirst()
        return Set(lines.prefix { !$0.hasPrefix("----") }.map { $0.filter { $0 != " " } })
    }
}
