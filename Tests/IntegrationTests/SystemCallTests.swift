import Foundation
import TestSupport
import Testing

/// Compares the programs' system calls with those that their units allow. Under systemd a forbidden call fails with
/// EPERM, which no other test would notice.
@Suite(.serialized, .runLimit) struct SystemCallTests {
    private let stack: Stack
    private let content = randomPayload(300_000)

    init() throws {
        stack = try Stack()
    }

    @Test func `A worker makes no system call that its unit forbids`() throws {
        let policy = try stack.policy("[default]\nquota = 1g\n")
        let made = try callsOfWorker("LPS_STORE=\(stack.store)\nLPS_POLICY=\(policy)\n")
        // These calls show that it stored, synced, served and watched.
        let some: Set = [
            "accept4", "openat2", "linkat", "fdatasync", "flock", "sendto", "socket", "rt_sigtimedwait", "clone3",
        ]
        #expect(some.subtracting(made).isEmpty, "\(some.subtracting(made))")
        try expectAllowed(made, "lps-worker@.service")
    }

    @Test(.enabled(if: SeaweedFS.isInstalled, "make test installs the engine"))
    func `With a bucket store, no service makes a system call that its unit forbids`() throws {
        let engine = try TestEngine.shared
        // A host name, which has to be looked up.
        let bucket = engine.storeURL(prefix: "calls").replacingOccurrences(of: "//127.0.0.1", with: "//localhost")
        let credentials = engine.environment.map { "\($0)=\($1)\n" }.joined()
        let settings = "LPS_STORE=\(bucket)\nLPS_INCOMING=\(stack.store)/incoming\n" + credentials
        let made = try callsOfWorker(settings)
        #expect(made.isSuperset(of: ["connect", "sendto", "recvfrom", "poll"]), "\(made.sorted())")
        try expectAllowed(made, "lps-worker@.service", isInBucket: true)

        let environment = try engine.environment.merging([
            "LPS_STORE": bucket, "LPS_POLICY": stack.policy("[ns]\nretention = 45d\n"), "LPS_GC_OLDER_THAN": "60d",
            "LPS_GC_KEEP_TRASH": "3d", "LPS_SCRUB_RATE": "50m",
        ]) { $1 }
        for unit in ["lps-gc.service", "lps-scrub.service"] {
            try expectAllowed(callsOfTimer(unit, environment), unit, isInBucket: true)
        }
    }

    /// A worker's calls from its start, through a reload, to its end on SIGUSR2.
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
        // systemd reads every message: a full queue would block the worker.
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
        try eventually("the worker serves: \(worker.log)") {
            guard worker.isRunning else { throw NeverHappened(what: "the worker ended: \(worker.log)") }
            return (try? String(contentsOfFile: stack.folder.file("LPS_ERROR_LOG"), encoding: .utf8))?
                .contains("msg=serving") == true
        }
        try useEverything(socket, runtime)
        worker.signal(SIGHUP)
        try eventually("the worker pings the watchdog") { pings.value > 3 }
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
        // A scrub that finds damage exits with status 1.
        let made = try callsOfTimer(unit, environment, status: unit == "lps-scrub.service" ? 1 : 0)
        // These calls show that it moved and synced files.
        let some: Set = ["openat2", "flock", "renameat", "fsync"]
        #expect(some.subtracting(made).isEmpty, "\(made.sorted())")
        if unit == "lps-gc.service" { #expect(made.contains("syncfs"), "\(made.sorted())") }
        try expectAllowed(made, unit)
    }

    private func expectAllowed(_ made: Set<String>, _ unit: String, isInBucket: Bool = false) throws {
        let forbidden = try made.subtracting(allowedSystemCalls(unit, isInBucket: isInBucket))
        #expect(forbidden.isEmpty, "\(unit): \(forbidden.sorted())")
    }

    @Test func `The units allow no system call that attackers typically need`() throws {
        for unit in ["lps-worker@.service", "lps-gc.service", "lps-scrub.service"] {
            let allowed = try allowedSystemCalls(unit)
            let known: Set = [
                "ptrace", "process_vm_readv", "process_vm_writev", "io_uring_setup", "add_key", "keyctl", "userfaultfd",
                "bpf", "perf_event_open", "mount", "chown", "fchownat", "setuid", "init_module", "open_by_handle_at",
                "personality", "kexec_load", "vmsplice", "shmget", "sethostname", "clock_settime", "swapon",
            ]
            #expect(known.intersection(allowed).isEmpty, "\(unit)")
            #expect(allowed.contains("accept4") == (unit == "lps-worker@.service"), "\(unit)")
            #expect(allowed.count > 150, "\(unit): groups, not a list of observed calls")
        }
    }

    // MARK: A worker at work

    /// Uploads and downloads in both ways, errors, the codec server, probes and the status page.
    private func useEverything(_ socket: String, _ runtime: String) throws {
        @discardableResult
        func ask(
            _ method: String,
            _ target: String,
            _ more: [String: String] = [:],
            _ body: [UInt8] = [],
            socket other: String? = nil,
            expects statuses: Int...
        ) throws -> CGIAnswer {
            let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
            let line = [
                "REQUEST_METHOD": method, "SCRIPT_NAME": parts[0], "QUERY_STRING": parts.dropFirst().first ?? "",
            ]
            let length = ["CONTENT_LENGTH": "\(body.count)", "CONTENT_TYPE": "application/octet-stream"]
            let parameters = length.merging(line) { $1 }.merging(more) { $1 }
            // A body that is handed over as a file is not also sent.
            let sent = more["REQUEST_BODY_FILE"] == nil ? body : []
            let answer = try requestCGI(other ?? socket, parameters, body: sent)
            try #require(statuses.contains(answer.status ?? 0), "\(method) \(target): \(answer)")
            return answer
        }
        for (isHandedOver, payload) in [(true, content), (false, content + [1]), (true, randomPayload(1)), (false, [])]
        {
            func put(_ body: [UInt8], expects status: Int...) throws {
                var more = ["HTTP_X_TEMPORAL_METADATA": "e30="]
                if isHandedOver {
                    more["REQUEST_BODY_FILE"] = "\(stack.store)/incoming/\(UUID().uuidString)"
                    try write(body, to: more["REQUEST_BODY_FILE"] ?? "")
                }
                let target = Stack.putTarget(namespace: "ns", digest: Stack.digest(payload))
                let answer = try ask("PUT", target, more, body, expects: 201, 200, 400)
                #expect(status.contains(answer.status ?? 0), "\(answer)")
            }
            try put(payload, expects: 201, 200)
            try put(payload + [7], expects: 400)
            let length = ["HTTP_X_PAYLOAD_EXPECTED_CONTENT_LENGTH": "\(payload.count)"]
            for more in [[:], ["LPS_ACCEL_PREFIX": "/lps-internal"], ["HTTP_RANGE": "bytes=0-0"]] {
                let target = Stack.getTarget(Stack.key(of: payload, "ns"))
                try ask("GET", target, length.merging(more) { $1 }, expects: 200, 206, 416)
            }
        }
        try ask("HEAD", "/v2/health/head", expects: 200)
        try ask("GET", "/lps/ping", expects: 200)
        try ask("GET", Stack.getTarget("/blobs/ns/common/sha256:x/sha256:y"), expects: 400)
        try ask("POST", "/v2/blobs/put", expects: 405)
        var body = try JSONPayloads([JSONPayload(content)]).json
        for operation in ["encode", "decode"] {
            let codec = ["LPS_CODEC_PREFIX": "/codec", "HTTP_X_NAMESPACE": "ns"]
            body = Array(try ask("POST", "/codec/\(operation)", codec, body, expects: 200).body.utf8)
        }
        // Includes the number of waiting connections, from netlink.
        let status = try ask("GET", "/lps/status?json&full", socket: "\(runtime)/status.sock", expects: 200)
        #expect(status.body.contains("\"listen_queue\":{"), "\(status.body.prefix(500))")
    }

    /// The calls of the commands in a timer's unit.
    private func callsOfTimer(_ unit: String, _ environment: [String: String], status: Int32 = 0) throws -> Set<String>
    {
        var made: Set<String> = []
        for line in try Project.text("systemd/\(unit)").split(separator: "\n")
        where line.hasPrefix("ExecStart=") || line.hasPrefix("ExecCondition=") {
            let command = line.drop { $0 != "=" }.dropFirst()
                .replacingOccurrences(of: "/usr/bin/", with: "\(Project.binaries)/")
            let calls = SystemCallCount(stack.folder)
            // As under systemd, no shell remains.
            let program = try calls.start("/bin/sh", ["-c", "exec \(command)"], environment: environment)
            #expect(program.wait() == status, "\(program.log)")
            made.formUnion(try calls.take())
        }
        return made
    }
}

/// The system calls that a unit's filter allows (`SystemCallFilter=` of systemd.exec(5)).
///
/// - Parameter isInBucket: whether to include the drop-in for S3.
private func allowedSystemCalls(_ unit: String, isInBucket: Bool = false) throws -> Set<String> {
    // systemd always allows these.
    var allowed = try expanded("@default")
    for file in ["lps-.service.d/lps.conf", unit] + (isInBucket ? ["s3.conf"] : []) {
        for line in try Project.text("systemd/\(file)").split(separator: "\n") where line.hasPrefix("SystemCallFilter=")
        {
            let words = line.dropFirst("SystemCallFilter=".count).split(separator: " ")
            try #require(!line.contains("~"), "the filter lists allowed calls")
            for word in words { allowed.formUnion(try expanded(word)) }
        }
    }
    return allowed
}

/// The calls of a group, including nested groups.
private func expanded(_ name: Substring) throws -> Set<String> {
    guard name.hasPrefix("@") else { return [String(name)] }
    let listed = try run("systemd-analyze", ["syscall-filter", "--no-pager", String(name)])
    try #require(listed.status == 0, "\(listed.output)")
    let members = listed.output.split(separator: "\n").dropFirst().map { $0.drop { $0 == " " } }
    return try members.filter { !$0.hasPrefix("#") }.reduce(into: []) { $0.formUnion(try expanded($1)) }
}

/// Records the system calls of a program and all its threads and children (strace(1)).
private struct SystemCallCount {
    private let output: String

    init(_ folder: TemporaryFolder) { output = folder.file("calls-\(UUID().uuidString)") }

    /// Starts a program under strace, which detaches: the program is this process's child.
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

    /// The names of the calls, once the program has ended.
    func take() throws -> Set<String> {
        var text = ""
        // strace writes them after the program's end.
        try eventually("strace has written the calls") {
            text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
            return text.hasSuffix("\n") && text.split(separator: "\n").count > 3
        }
        let lines = text.split(separator: "\n").drop { !$0.hasPrefix("----") }.dropFirst()
        return Set(lines.prefix { !$0.hasPrefix("----") }.map { $0.filter { $0 != " " } })
    }
}
