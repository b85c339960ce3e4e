import Foundation
import TestSupport

/// What happens to the workers: of four, one is only reloaded, the others are killed, stopped and told to restart (SIGUSR2),
/// and replaced.
///
/// Sendable, since one thread has it: its own while the load runs, and then the one that leads the soak.
final class Disturbance: @unchecked Sendable {
    private let load: Load
    private let configuration: String
    let reloaded: ChildProcess
    private var restarted: ChildProcess
    private var killed: ChildProcess
    private var stopped: ChildProcess
    private var round = 0

    /// - Parameter configuration: the file that the workers read.
    init(_ load: Load, configuration: String) {
        self.load = load
        self.configuration = configuration
        let workers = load.stack.workers
        (reloaded, restarted, killed, stopped) = (workers[0], workers[1], workers[2], workers[3])
    }

    func run() throws {
        while try load.gate.pass({
            round += 1
            switch round % 4 {
            case 0: try reload()
            case 1: try kill()
            case 2: try replace(&restarted, SIGUSR2, "workers restarted (SIGUSR2)")
            default: try replace(&stopped, SIGTERM, "workers replaced (SIGTERM)")
            }
        }) {
            usleep(UInt32.random(in: 200_000...800_000))
        }
    }

    private func reload() throws {
        let text = "LPS_SLOW_LOG_AFTER=\(100 + round % 100)s\n"
        try text.write(toFile: configuration, atomically: true, encoding: .utf8)
        let workers = load.stack.workers
        let before = workers.map { lines($0, "the configuration was read again") }
        for worker in workers { worker.signal(SIGHUP) }
        for (worker, before) in zip(workers, before) {
            try wait(for: "a worker reads its configuration", worker) {
                lines(worker, "the configuration was read again") > before
            }
        }
        load.tally.add("workers reloaded (SIGHUP)", workers.count)
    }

    private func kill() throws {
        load.kills.kill { load.stack.stop(killed, SIGKILL) }
        killed = try load.stack.startWorkers(1)[0]
        load.tally.add("workers killed (SIGKILL)")
    }

    private func replace(_ worker: inout ChildProcess, _ signal: Int32, _ what: String) throws {
        let next = try load.stack.startWorkers(1)[0]
        let status = load.stack.stop(worker, signal)
        if status != 0 { load.tally.violation("a worker that was stopped ended with status \(status): \(worker.log)") }
        worker = next
        load.tally.add(what)
    }

    private func lines(_ worker: ChildProcess, _ text: String) -> Int {
        worker.log.components(separatedBy: text).count - 1
    }

    private func wait(for what: String, _ worker: ChildProcess, _ condition: () -> Bool) throws {
        try eventually("\(what): \(worker.log)", within: 300) {
            guard worker.isRunning else { throw NeverHappened(what: "\(what), and not ends: \(worker.log)") }
            return condition()
        }
    }
}
