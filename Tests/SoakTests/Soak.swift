import Foundation
import TestSupport

/// A service under load for minutes, and the checks afterwards.
final class Soak: Sendable {
    private let minutes: Double
    private let folder: TemporaryFolder
    let stack: Stack
    let load: Load
    let timers: Operator
    private let disturbance: Disturbance
    /// Processes that must not grow. The last one, that of the clients, is only reported.
    private let processes: [WatchedProcess]

    init(minutes: Double) throws {
        self.minutes = minutes
        folder = try TemporaryFolder()
        let configuration = folder.file("lps.conf")
        try write([], to: configuration)
        // The kernel gives a connection to any process with an idle thread. With few threads, all workers are busy when
        // they are disturbed.
        stack = try Stack(workers: 4, options: ["--config", configuration, "--threads", "2"])
        load = Load(stack)
        timers = Operator(load: load)
        disturbance = Disturbance(load, configuration: configuration)
        let store = stack.store
        let lasting = [("worker, reloaded", disturbance.reloaded.pid), ("nginx, master", stack.nginx.pid)]
        let nginx = try stack.nginx.children().enumerated().map { ("nginx, worker \($0 + 1)", $1) }
        processes = (lasting + nginx + [("the clients", getpid())]).map { WatchedProcess($0, $1, store: store) }
    }

    /// Runs the load: a warm-up and three thirds. Measures the processes during each third, and idle after it.
    func run() throws {
        let warmUp = max(15, minutes * 6)
        try run(seconds: warmUp) {}
        for third in 0..<3 {
            try run(seconds: (minutes * 60 - warmUp) / 3) {
                for process in self.processes { try process.lookBusy(third: third) }
            }
        }
    }

    private func run(seconds: Double, _ look: @escaping @Sendable () throws -> Void) throws {
        load.begin(seconds: seconds)
        let (load, timers, disturbance) = (load, timers, disturbance)
        let watch: @Sendable () throws -> Void = {
            while !load.isOver {
                sleep(1)
                try look()
            }
        }
        let operation: [@Sendable () throws -> Void] = [watch, timers.collect, timers.scrub, disturbance.run]
        let clients = (0..<12).map { index -> @Sendable () throws -> Void in
            { Client(load, isSlow: index < 2).run() }
        }
        let parts = operation + clients
        try concurrently(parts.count) { index in
            // A failed part stops all others.
            do { try parts[index]() } catch {
                load.stop()
                throw error
            }
        }
        try WatchedProcess.lookIdle(processes)
    }

    // MARK: Results

    var violations: [String] { load.violations + processes.dropLast().flatMap(\.growth) }

    var report: String {
        """
        soak of \(minutes) min: four workers, ten clients and two slow ones

        \(load.report)

        \(processes.map(\.report).joined(separator: "\n"))

        \(violations.isEmpty ? "nothing was lost, nothing grew" : "\(violations.count) violations")
        """
    }
}
