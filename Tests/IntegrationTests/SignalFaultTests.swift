import Foundation
import TestSupport
import Testing

/// Whichever system call of a reload fails, the worker keeps serving, with the old or the new configuration.
@Suite(.serialized, .runLimit) struct SignalFaultTests {
    private let folder: TemporaryFolder
    private let file: String

    init() throws {
        folder = try TemporaryFolder()
        file = folder.file("lps.conf")
        let policy = folder.file("policy")
        try write("[a]\nquota = 1g\n".utf8, to: policy)
        try write("LPS_THREADS=1\nLPS_POLICY=\(policy)\n".utf8, to: file)
    }

    /// The calls of the thread that reads the configuration, except its log writes.
    private func callsOfReader(_ trace: String) throws -> [TracedCall] {
        let calls = TracedCall.parse(trace)
        let reader = try #require(calls.first { $0.line.contains("\"\(file)\"") }).thread
        return calls.filter { $0.thread == reader && $0.name != "write" }
    }

    @Test func `A reload with a failed system call applies the new settings or keeps the old ones`() throws {
        let worker = try LoneWorker(folder, ["--config", file])
        func reload(_ fault: Fault?) throws -> (isDone: Bool, trace: String) {
            let tracer = Tracer(folder, fault)
            let (read, kept) = (worker.count("configuration reloaded"), worker.count("configuration unchanged"))
            try tracer.attached(to: worker.process) {
                worker.process.signal(SIGHUP)
                try eventually("the reload has ended") {
                    worker.count("configuration reloaded") + worker.count("configuration unchanged") > read + kept
                }
            }
            try worker.expectServing("\(String(describing: fault))")
            return (worker.count("configuration reloaded") > read, tracer.take())
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

    @Test func `An unusable scoreboard stops no worker`() throws {
        let runtime = folder.file("pool")
        try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: true)
        try write("no scoreboard at all".utf8, to: "\(runtime)/scoreboard-2")
        let worker = try LoneWorker(folder, ["--config", file, "--runtime-dir", runtime])
        try worker.expectServing()
        #expect(worker.log.contains("scoreboard-2 is not a scoreboard of this version: stop the pool"))
        // The file stays as it was.
        #expect(try contents(of: "\(runtime)/scoreboard-2") == Array("no scoreboard at all".utf8))
        worker.stop()
    }
}
