import Foundation

/// A process that a test started, stopped by its pid at the latest with the last reference.
public final class ChildProcess: @unchecked Sendable {
    // `Process` is touched by the thread that starts it only; the pid is constant and kill(2) and waiting are safe from any.
    private let process = Process()
    public let pid: pid_t
    /// What the process wrote to standard output and standard error.
    public let logPath: String

    public init(
        _ executable: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        standardInput: Int32? = nil,
        log: String
    ) throws {
        logPath = log
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        guard let output = FileHandle(forWritingAtPath: log) else { throw POSIXError(.ENOENT) }
        output.seekToEndOfFile()
        process.executableURL = URL(fileURLWithPath: try Self.find(executable))
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = output
        process.standardError = output
        process.standardInput =
            standardInput.map { FileHandle(fileDescriptor: $0, closeOnDealloc: false) } ?? FileHandle.nullDevice
        try process.run()
        pid = process.processIdentifier
    }

    deinit {
        if process.isRunning {
            kill(pid, SIGKILL)
            process.waitUntilExit()
        }
    }

    static func find(_ executable: String) throws -> String {
        if executable.hasPrefix("/") { return executable }
        for folder in ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] where access("\(folder)/\(executable)", X_OK) == 0 {
            return "\(folder)/\(executable)"
        }
        throw POSIXError(.ENOENT)
    }

    public var isRunning: Bool { process.isRunning }

    public var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    public func signal(_ signal: Int32) {
        kill(pid, signal)
    }

    /// Waits for the end: the exit status, or below zero the signal that ended it.
    @discardableResult
    public func wait() -> Int32 {
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    /// A number of `/proc/<pid>/status`, in KiB for memory.
    public func status(_ field: String) -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(field):") }
        return line?.split(whereSeparator: { $0 == ":" || $0 == "\t" || $0 == " " }).dropFirst().first.flatMap { Int($0) }
    }
}

/// Runs a program to its end: the exit status, and what it wrote.
public func run(_ executable: String, _ arguments: [String] = []) throws -> (status: Int32, output: String) {
    let folder = try TemporaryFolder()
    let child = try ChildProcess(executable, arguments, log: folder.file("output"))
    let status = child.wait()
    return (status, child.log)
}

/// Waits until something is so; the generous limit only ends a test that would hang.
public func eventually(_ what: String, within seconds: Double = 60, _ condition: () throws -> Bool) throws {
    let end = Date().addingTimeInterval(seconds)
    while try !condition() {
        guard Date() < end else { throw NeverHappened(what: what) }
        usleep(20_000)
    }
}

public struct NeverHappened: Error {
    public let what: String
}

/// Runs `count` closures at once, each on a thread of its own, and throws the first of their errors.
public func concurrently(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
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
