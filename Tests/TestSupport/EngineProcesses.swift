import Foundation

/// The processes of an engine, by name.
package final class EngineProcesses: @unchecked Sendable {
    // Guarded by the lock.
    private var running: [String: ChildProcess] = [:]
    private let lock = NSLock()

    private func all(_ names: [String]?) -> [ChildProcess] {
        lock.withLock { running.filter { names?.contains($0.key) ?? true }.map(\.value) }
    }

    /// The output of all processes.
    var log: String { all(nil).map(\.log).joined() }

    /// A process that ended by itself.
    var ended: ChildProcess? { all(nil).first { !$0.isRunning } }

    func isRunning(_ name: String) -> Bool { all([name]).contains { $0.isRunning } }

    func start(_ name: String, _ start: () throws -> ChildProcess) rethrows {
        let process = try start()
        lock.withLock { running[name] = process }
    }

    /// Ends processes with SIGTERM, and after three seconds with SIGKILL.
    func stop(_ names: [String]? = nil) {
        let stopped = all(names)
        for process in stopped { process.signal(SIGTERM) }
        try? eventually("the engine ends", within: 3) { !stopped.contains { $0.isRunning } }
        kill(names)
    }

    func kill(_ names: [String]? = nil) {
        let killed = lock.withLock {
            let killed = running.filter { names?.contains($0.key) ?? true }
            for name in killed.keys { running[name] = nil }
            return killed.values
        }
        for process in killed { process.signal(SIGKILL) }
        for process in killed { process.wait() }
    }

    func freeze(_ names: [String]? = nil) throws {
        for process in all(names) { try process.freeze() }
    }

    func thaw(_ names: [String]? = nil) {
        for process in all(names) { process.signal(SIGCONT) }
    }
}
