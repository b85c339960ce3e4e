import Foundation
import TestSupport
import Testing

/// A system call that fails: strace(1) returns an error instead of making the call.
struct Fault: CustomStringConvertible {
    let call: String
    let errno: String
    /// The number of the call among the thread's calls of this kind, from 1.
    let occurrence: Int

    var description: String { "\(call) \(occurrence) fails with \(errno)" }
    /// The program must repeat an interrupted call without visible effect.
    var mustBeInvisible: Bool { errno == "EINTR" }

    /// File calls, and the documented errors that a correct program can meet: a full, failing or read-only disk, too
    /// many open files, another owner, a signal. Not fcntl(2), most of whose calls get and set flags and can't fail
    /// this way; not close(2), because a skipped close leaks the descriptor.
    static let errors: KeyValuePairs = [
        "openat": ["EIO", "EMFILE", "ENFILE", "EACCES", "ENOSPC", "EDQUOT", "EROFS", "EINTR", "ENOENT"],
        "openat2": ["EIO", "EMFILE", "ENFILE", "EACCES", "ENOSPC", "EDQUOT", "EROFS", "EINTR", "ENOENT"],
        "newfstatat": ["EIO", "EACCES", "ENOENT"],
        "pread64": ["EIO", "EINTR"],
        "read": ["EIO", "EINTR"],
        "write": ["ENOSPC", "EDQUOT", "EIO", "EINTR"],
        "flock": ["EINTR", "ENOLCK"],
        "faccessat2": ["EACCES", "EIO", "EROFS"],
        "fchmod": ["EIO", "EROFS"],
    ]

    static let traced = errors.map(\.key).joined(separator: ",")

    /// Every call with every error of its kind.
    static func all(_ calls: [TracedCall]) -> [Fault] {
        errors.flatMap { name, errors in
            calls.filter { $0.name == name }.flatMap { call in
                errors.map { Fault(call: name, errno: $0, occurrence: call.occurrence) }
            }
        }
    }
}

/// A process is killed as one of its threads enters a system call. Earlier calls have taken effect; the kernel does
/// not make this one.
struct KillPoint: CustomStringConvertible {
    let call: String
    /// The number of the call among the thread's calls of this kind, from 1.
    let occurrence: Int

    var description: String { "killed at \(call) \(occurrence)" }

    init(_ call: TracedCall) {
        self.call = call.name
        occurrence = call.occurrence
    }
}

/// A system call in the output of strace(1) with -f and -y.
struct TracedCall {
    let thread: Substring
    let name: String
    /// The number of the call among the thread's calls of this kind, from 1, as in strace's `when=`.
    let occurrence: Int
    let line: String

    static func parse(_ trace: String) -> [TracedCall] {
        var counts: [String: Int] = [:]
        return trace.split(separator: "\n").compactMap { line in
            // The thread's number is padded with spaces.
            guard let space = line.firstIndex(of: " ") else { return nil }
            let thread = line[..<space]
            let call = line[space...].drop { $0 == " " }
            guard let end = call.firstIndex(of: "("), call.first?.isLetter == true else { return nil }
            let name = String(call[..<end])
            counts["\(thread) \(name)", default: 0] += 1
            return TracedCall(
                thread: thread,
                name: name,
                occurrence: counts["\(thread) \(name)"] ?? 0,
                line: String(line)
            )
        }
    }
}

/// A strace(1) command that only traces, makes one system call fail, or kills the process at one.
struct Tracer {
    let output: String
    private let options: [String]

    init(_ folder: TemporaryFolder, trace: String? = nil, _ fault: Fault?) {
        let inject = fault.map { "\($0.call):error=\($0.errno):when=\($0.occurrence)" }
        self.init(folder, trace: trace ?? fault?.call ?? Fault.traced, inject: inject)
    }

    init(_ folder: TemporaryFolder, killing point: KillPoint) {
        self.init(folder, trace: point.call, inject: "\(point.call):signal=KILL:when=\(point.occurrence)")
    }

    init(_ folder: TemporaryFolder, trace: String, inject: String? = nil) {
        output = folder.file("trace-\(UUID().uuidString)")
        options =
            ["-f", "-y", "-s", "0", "-o", output, "-e", "trace=\(trace)"]
            + (inject.map { ["-e", "inject=\($0)"] } ?? [])
    }

    /// Prefix of a command, to run it under strace.
    var command: [String] { ["strace"] + options }

    func start(_ command: [String]) throws -> ChildProcess {
        try ChildProcess("strace", options + command, log: output + ".log")
    }

    /// Traces a running process during `work`.
    func attached<Result>(to process: ChildProcess, _ work: () throws -> Result) throws -> Result {
        let strace = try ChildProcess("strace", options + ["-p", "\(process.pid)"], log: output + ".log")
        let end = Date().addingTimeInterval(60)
        while !strace.log.contains("attached") {
            guard Date() < end, strace.isRunning else { throw NeverHappened(what: "strace is attached: \(strace.log)") }
            usleep(2000)
        }
        defer {
            // SIGTERM makes strace detach from the process.
            strace.signal(SIGTERM)
            strace.wait()
        }
        return try work()
    }

    /// Returns the trace, and deletes its files.
    func take() -> String {
        defer {
            unlink(output)
            unlink(output + ".log")
        }
        return (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
    }
}
