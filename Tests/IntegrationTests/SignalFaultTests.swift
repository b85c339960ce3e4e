import Foundation
import TestSupport
import Testing

/// Whatever system call fails while a worker reads its configuration again, or starts anew: it serves on, as it was or as
/// it was to be.
@Suite(.serialized, .runLimit) struct SignalFaultTests {
    private let folder: TemporaryFolder
    private let store: String
    private let socket: String
    private let file: String

    init() throws {
        folder = try TemporaryFolder()
        store = folder.file("store")
        socket = folder.file("lps.sock")
        file = folder.file("lps.conf")
        #expect(try run(Project.binary("lps"), ["init", "--store", store]).status == 0)
        let policy = folder.file("policy")
        try write("[a]\nquota = 1g\n".utf8, to: policy)
        try write("LPS_STORE=\(store)\nLPS_LISTEN=\(socket)\nLPS_THREADS=1\nLPS_POLICY=\(policy)\n".utf8, to: file)
    }

    private func start() throws -> ChildProcess {
        let log = folder.file("log-\(UUID().uuidString)")
        let worker = try ChildProcess(Project.binary("lps-worker"), ["--config", file], log: log)
        try eventually("it serves: \(worker.log)") {
            guard worker.isRunning else { throw NeverHappened(what: "it ended: \(worker.log)") }
            return worker.log.contains("msg=serving")
        }
        return worker
    }

    private func expectServing(_ worker: ChildProcess, _ fault: Fault?) throws {
        let client = try FastCGIClient(socket)
        client.send(FastCGIClient.head(["REQUEST_METHOD": "GET", "SCRIPT_NAME": "/lps/ping"]))
        client.send(FastCGIClient.record(.stdin, []))
        #expect(client.receiveAnswer().contains("pong"), "\(String(describing: fault)): \(worker.log)")
        #expect(worker.isRunning, "\(String(describing: fault)): \(worker.log)")
    }

    private func count(_ text: String, _ worker: ChildProcess) -> Int {
        worker.log.components(separatedBy: text).count - 1
    }

    /// The calls of the thread that has read the configuration, but what it tells of them.
    private func callsOfReader(_ trace: String) throws -> [TracedCall] {
        let calls = TracedCall.parse(trace)
        let reader = try #require(calls.first { $0.line.contains("\"\(file)\"") }).thread
        return calls.filter { $0.thread == reader && $0.name != "write" }
    }

    @Test func `A reload of which any system call fails takes the new settings, or keeps the old ones`() throws {
        let worker = try start()
        func reload(_ fault: Fault?) throws -> (isDone: Bool, trace: String) {
            let tracer = Tracer(folder, fault)
            let (read, kept) = (count("read again", worker), count("stays as it was", worker))
            try tracer.attached(to: worker) {
                worker.signal(SIGHUP)
                try eventually("it has reloaded") {
                    count("read again", worker) + count("stays as it was", worker) > read + kept
                }
            }
            try expectServing(worker, fault)
            return (count("read again", worker) > read, tracer.take())
        }
        let traced = try reload(nil)
        #expect(traced.isDone)
        var tried = 0
        var kept = 0
        for fault in Fault.all(try callsOfReader(traced.trace)) {
            let (isDone, trace) = try reload(fault)
            guard trace.contains("INJECTED") else { continue }
            tried += 1
            if !isDone { kept += 1 }
            #expect(isDone || !fault.mustBeInvisible, "\(fault): \(worker.log.suffix(300))")
        }
        #expect(try reload(nil).isDone)
        print("reloads: \(tried) faults, \(kept) kept the old settings")
        #expect(tried >= 20 && kept >= 8, "\(tried) faults, \(kept) kept")
    }

    @Test func `A start anew of which any system call fails goes on as it is, or starts`() throws {
        var worker = try start()
        func startAnew(_ fault: Fault?) throws -> (isDone: Bool, trace: String) {
            let tracer = Tracer(folder, fault, beside: "execve")
            let (served, kept) = (count("msg=serving", worker), count("not starting anew", worker))
            try tracer.attached(to: worker) {
                worker.signal(SIGUSR2)
                try eventually("it has started anew, or not: \(worker.log.suffix(300))") {
                    guard worker.isRunning else { return true }
                    return count("msg=serving", worker) + count("not starting anew", worker) > served + kept
                }
            }
            return (count("msg=serving", worker) > served, tracer.take())
        }
        /// Whether a call failed before the new program was there, and whether one did in that.
        func failures(_ trace: String) -> (before: Bool, after: Bool) {
            let lines = trace.split(separator: "\n")
            let end = lines.firstIndex { $0.contains("execve(") && $0.hasSuffix("= 0") } ?? lines.endIndex
            func hasFailed(_ lines: ArraySlice<Substring>) -> Bool { lines.contains { $0.contains("INJECTED") } }
            return (hasFailed(lines[..<end]), hasFailed(lines[end...]))
        }
        let traced = try startAnew(nil)
        #expect(traced.isDone)
        let before = traced.trace.components(separatedBy: "execve(")[0]
        var tried = 0
        var kept = 0
        let executions = ["EIO", "ENOMEM", "EACCES", "EAGAIN"].map { Fault(call: "execve", errno: $0, occurrence: 1) }
        for fault in Fault.few(try callsOfReader(before), each: 4, turn: 0) + executions {
            let (isDone, trace) = try startAnew(fault)
            let failures = failures(trace)
            if !worker.isRunning {
                // A start's fault.
                #expect(failures.after, "\(fault): \(worker.log.suffix(400))")
                worker = try start()
                continue
            }
            guard failures.before else { continue }
            try expectServing(worker, fault)
            tried += 1
            if !isDone { kept += 1 }
            #expect(isDone || !fault.mustBeInvisible && fault.call != "execve", "\(fault): \(worker.log.suffix(300))")
        }
        #expect(try startAnew(nil).isDone)
        print("starts anew: \(tried) faults, \(kept) went on as they were")
        #expect(tried >= 20 && kept >= 8, "\(tried) faults, \(kept) kept")
    }

    @Test func `A pool's scoreboard that can't be used stops no worker`() throws {
        let runtime = folder.file("pool")
        try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: true)
        try write("no scoreboard at all".utf8, to: "\(runtime)/scoreboard-1")
        let command = ["--config", file, "--runtime-dir", runtime]
        let worker = try ChildProcess(Project.binary("lps-worker"), command, log: folder.file("log"))
        try eventually("it serves: \(worker.log)") {
            guard worker.isRunning else { throw NeverHappened(what: "it ended: \(worker.log)") }
            return worker.log.contains("msg=serving")
        }
        try expectServing(worker, nil)
        #expect(worker.log.contains("scoreboard-1 is no scoreboard of this version, stop the pool and remove it"))
        // What was there is left for whoever put it there.
        #expect(try contents(of: "\(runtime)/scoreboard-1") == Array("no scoreboard at all".utf8))
        worker.signal(SIGTERM)
        #expect(worker.wait() == 0)
    }
}
