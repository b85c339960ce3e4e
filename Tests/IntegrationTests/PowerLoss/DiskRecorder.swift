import Foundation
import PayloadKey
import TestSupport

/// Records what processes do to a store, for ``Disk``.
final class DiskRecorder {
    private(set) var disk: Disk
    private(set) var promises: [Promise] = []
    private let folder: TemporaryFolder

    /// All that is in the store is on disk.
    init(_ store: String, in folder: TemporaryFolder) throws {
        disk = try Disk(reading: store)
        self.folder = folder
    }

    private func options(_ output: String) -> [String] {
        ["-f", "-y", "-s", "1000000", "-o", output, "-e", "trace=\(DiskCall.traced)"]
    }

    /// Records processes that run already, while `work` is done.
    ///
    /// - Parameters:
    ///   - options: of strace(1), to kill one of them, say.
    ///   - work: gives what was promised, in the order of the answers.
    func attached(to processes: [pid_t], _ options: [String] = [], _ work: () throws -> [Promise]) throws {
        let output = folder.file("disk-\(UUID().uuidString)")
        let pids = processes.flatMap { ["-p", "\($0)"] }
        let strace = try ChildProcess("strace", self.options(output) + options + pids, log: output + ".log")
        try eventually("strace is attached: \(strace.log)") {
            guard strace.isRunning else { throw NeverHappened(what: strace.log) }
            return strace.log.components(separatedBy: "attached").count > processes.count
        }
        let promised = try work()
        strace.signal(SIGTERM)
        strace.wait()
        try add(output, answers: promised)
    }

    /// Records a program from its start to its end.
    ///
    /// - Parameter promised: what its end promises.
    /// - Returns: its exit status.
    func run(_ command: [String], promised: [Promise] = []) throws -> Int32 {
        let output = folder.file("disk-\(UUID().uuidString)")
        let strace = try ChildProcess("strace", options(output) + command, log: output + ".log")
        let status = strace.wait()
        try add(output, answers: [])
        promised.forEach(promise)
        return status
    }

    func promise(_ promise: Promise) {
        disk.addPromise(promises.count)
        promises.append(promise)
    }

    /// Content that is damaged already, and may be found to be.
    func allowDamage(of digest: Digest) {
        promises.append(.takenAway(digest))
    }

    private func add(_ output: String, answers: [Promise]) throws {
        var reader = DiskCallReader()
        var rest = answers[...]
        for line in try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n") {
            guard let call = try reader.read(line) else { continue }
            try disk.add(call, line: line)
            // After the head of a FastCGI record.
            if case .answer(let bytes) = call, bytes.dropFirst(8).starts(with: "Status: 20".utf8) {
                guard let next = rest.popFirst() else { throw UnknownCall(line: String(line)) }
                promise(next)
            }
        }
        guard rest.isEmpty else { throw NeverHappened(what: "all answers are in the trace") }
    }
}
