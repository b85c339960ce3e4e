import Foundation
import TestSupport

/// A service under load for minutes, and what is to be true of it afterwards.
final class Soak: Sendable {
    private static let clients = 10
    private static let slowClients = 2

    private let minutes: Double
    private let folder: TemporaryFolder
    let stack: Stack
    let load: Load
    let disturbance: Disturbance
    let timers: Operator
    private let processes: [WatchedProcess]
    private let myself: WatchedProcess

    init(minutes: Double) throws {
        self.minutes = minutes
        folder = try TemporaryFolder()
        let configuration = folder.file("lps.conf")
        try "".write(toFile: configuration, atomically: true, encoding: .utf8)
        // Few threads, since the kernel gives a connection to the first process that has an idle one: all are to have
        // requests under way when something happens to them.
        stack = try Stack(workers: 4, options: ["--config", configuration, "--threads", "2"])
        load = Load(stack)
        timers = Operator(load)
        disturbance = Disturbance(load, configuration: configuration)
        let store = stack.store
        processes =
            [
                WatchedProcess("worker, reloaded", disturbance.reloaded.pid, store: store),
                WatchedProcess("nginx, master", stack.nginx.pid, store: store),
            ]
            + (try stack.nginx.children()).enumerated().map { index, pid in
                WatchedProcess("nginx, worker \(index + 1)", pid, store: store)
            }
        myself = WatchedProcess("the clients", getpid(), store: store)
    }

    /// Runs the load: a time to warm up, and three thirds, with a pause after each.
    func run() throws {
        try concurrently(4 + Self.clients + Self.slowClients) { [self] index in
            switch index {
            case 0: try orEnd(lead)
            case 1: try orEnd(timers.collect)
            case 2: try orEnd { try timers.scrub() }
            case 3: try orEnd(disturbance.run)
            default: Client(load, index < 4 + Self.slowClients ? .slow : .fast).run()
            }
        }
    }

    /// A part that fails ends them all.
    private func orEnd(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            load.gate.end()
            throw error
        }
    }

    private func lead() throws {
        let warmUp = max(15, minutes * 6)
        try pass(warmUp) {}
        for third in 0..<3 {
            try pass((minutes * 60 - warmUp) / 3) { for process in all { try process.lookBusy(third: third) } }
        }
        load.gate.end()
    }

    private var all: [WatchedProcess] { processes + [myself] }

    /// Lets the load through for so many seconds, and looks at the processes when it has stopped.
    private func pass(_ seconds: Double, eachSecond look: () throws -> Void) throws {
        let end = now() + seconds
        load.gate.open()
        while now() < end, load.tally.countOfViolations < Tally.kept {
            sleep(1)
            try look()
        }
        load.gate.close()
        try WatchedProcess.lookIdle(all)
    }

    // MARK: What came of it

    var violations: [String] {
        load.tally.firstViolations + processes.flatMap(\.growth)
    }

    var report: String {
        let tally = load.tally
        let count = tally.countOfViolations + processes.flatMap(\.growth).count
        return """
            soak of \(minutes) min: four workers, \(Self.clients) clients and \(Self.slowClients) slow ones

            \(tally.requestLines.joined(separator: "\n"))

            \(tally.sumLines.joined(separator: "\n"))

            \(all.map(\.report).joined(separator: "\n"))

            \(count == 0 ? "nothing was lost, nothing grew" : "\(count) violations, the first:")
            \(violations.joined(separator: "\n"))
            """
    }
}
