import Foundation

/// A process that a test started in its own process group. The group is killed with the last reference.
///
/// Foundation's `Process` is unsuitable: it also waits for its child's children, and passes on its own signal mask.
package final class ChildProcess: @unchecked Sendable {
    package let pid: pid_t
    /// The process's standard output and standard error.
    package let logPath: String
    // Guarded by the lock: the status of waitpid(2), once it is known.
    private var ended: Int32?
    private let lock = NSLock()

    package init(
        _ executable: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        standardInput: Int32? = nil,
        log: String
    ) throws {
        logPath = log
        pid = try spawn(
            Self.find(executable),
            arguments,
            environment: environment,
            standardInput: standardInput,
            log: log
        )
        OrphanWatcher.shared.add(pid)
    }

    package convenience init(
        _ command: [String],
        environment: [String: String] = [:],
        standardInput: Int32? = nil,
        log: String
    )
        throws
    {
        try self.init(
            command[0],
            Array(command.dropFirst()),
            environment: environment,
            standardInput: standardInput,
            log: log
        )
    }

    deinit {
        // The ID of a reaped process may belong to another one.
        guard isRunning else { return }
        kill(-pid, SIGKILL)
        wait()
    }

    static func find(_ executable: String) throws -> String {
        if executable.hasPrefix("/") { return executable }
        for folder in ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] where access("\(folder)/\(executable)", X_OK) == 0 {
            return "\(folder)/\(executable)"
        }
        throw NeverHappened(what: "\(executable) is installed")
    }

    package var isRunning: Bool { waitStatus() == nil }

    package var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    /// How often the log contains a text.
    package func count(_ text: String) -> Int { log.components(separatedBy: text).count - 1 }

    /// Waits until a worker logs that it is serving.
    package func waitUntilServing() throws {
        try eventually("a worker serves: \(log)") {
            guard isRunning else { throw NeverHappened(what: "the worker ended: \(log)") }
            return log.contains("msg=serving")
        }
    }

    /// Sends a signal unless the process was reaped: its ID may belong to another one.
    package func signal(_ signal: Int32) {
        lock.withLock { if ended == nil { kill(pid, signal) } }
    }

    /// Stops the process (SIGSTOP) and waits until all its threads are stopped.
    package func freeze() throws {
        signal(SIGSTOP)
        let tasks = "/proc/\(pid)/task"
        try eventually("process \(pid) stands still") {
            try FileManager.default.contentsOfDirectory(atPath: tasks).allSatisfy {
                let stat = try String(contentsOfFile: "\(tasks)/\($0)/stat", encoding: .utf8)
                return stat.components(separatedBy: ") ").last?.first == "T"
            }
        }
    }

    /// Waits for the process to end. Returns its exit status, or the negated signal that ended it.
    @discardableResult
    package func wait() -> Int32 {
        // The lock is not held while waiting, so that others can signal the process.
        var end = siginfo_t()
        while waitStatus() == nil { waitid(P_PID, id_t(pid), &end, WEXITED | WNOWAIT) }
        let status = waitStatus() ?? 0
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
    }

    private func waitStatus() -> Int32? {
        lock.withLock {
            if let ended { return ended }
            var status: Int32 = 0
            var waited: pid_t
            repeat { waited = waitpid(pid, &status, WNOHANG) } while waited < 0 && errno == EINTR
            precondition(waited >= 0, "other code reaped process \(pid)")
            if waited == pid {
                ended = status
                OrphanWatcher.shared.remove(pid)
            }
            return ended
        }
    }

    package func children() throws -> [pid_t] {
        try String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
            .split(separator: " ").compactMap { pid_t($0) }
    }

    /// The process's open files, as paths or other kernel names.
    package var openFiles: [String] {
        let folder = "/proc/\(pid)/fd"
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return numbers.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)") }
    }

    /// A number from `/proc/<pid>/status`, in KiB for memory.
    package func status(_ field: String) -> Int? { processStatus(pid, field) }
}

/// A number from a process's `/proc/<pid>/status`, in KiB for memory.
package func processStatus(_ pid: pid_t, _ field: String) -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return nil }
    let line = text.split(separator: "\n").first { $0.hasPrefix("\(field):") }
    return line?.split(whereSeparator: { $0 == ":" || $0 == "\t" || $0 == " " }).dropFirst().first.flatMap { Int($0) }
}

/// Runs a program to its end and returns its exit status and output.
package func run(
    _ executable: String,
    _ arguments: [String] = [],
    environment: [String: String] = [:]
) throws -> (status: Int32, output: String) {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let child = try ChildProcess(executable, arguments, environment: environment, log: folder.file("output"))
    let status = child.wait()
    return (status, child.log)
}

/// Runs a program that must succeed.
package func requireDone(_ executable: String, _ arguments: [String] = []) throws {
    let done = try run(executable, arguments)
    guard done.status == 0 else { throw NeverHappened(what: "\(executable) \(arguments): \(done.output)") }
}

/// Waits until a condition holds. The generous limit only ends a test that would hang.
package func eventually(_ what: @autoclosure () -> String, within seconds: Double = 60, _ condition: () throws -> Bool)
    throws
{
    let end = Date().addingTimeInterval(seconds)
    var pause: UInt32 = 1_000
    while try !condition() {
        guard Date() < end else { throw NeverHappened(what: what()) }
        usleep(pause)
        pause = min(2 * pause, 20_000)
    }
}

package struct NeverHappened: Error {
    package let what: String

    package init(what: String) { self.what = what }
}

/// Runs a closure `count` times concurrently, each on its own thread, and throws the first error.
package func concurrently(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let failures = Failures()
    let group = DispatchGroup()
    for index in 0..<count {
        group.enter()
        Thread {
            do { try body(index) } catch { failures.add(error) }
            group.leave()
        }.start()
    }
    group.wait()
    if let first = failures.first { throw first }
}

private final class Failures: @unchecked Sendable {
    // Guarded by the lock.
    private var errors: [any Error] = []
    private let lock = NSLock()
    func add(_ error: any Error) { lock.withLock { errors.append(error) } }
    var first: (any Error)? { lock.withLock { errors.first } }
}
