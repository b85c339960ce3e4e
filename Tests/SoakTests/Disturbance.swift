import Foundation
import TestSupport

/// Disturbs the workers: of four, one is only reloaded; the others are killed, stopped or restarted (SIGUSR2), and
/// replaced.
///
/// Sendable because only one thread at a time uses it.
final class Disturbance: @unchecked Sendable {
    private static let isRead = "configuration reloaded"

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
        while !load.isOver {
            round += 1
            switch round % 4 {
            case 0: try reload()
            case 1: try kill()
            case 2: try replace(&restarted, SIGUSR2, "workers restarted (SIGUSR2)")
            default: try replace(&stopped, SIGTERM, "workers replaced (SIGTERM)")
            }
            usleep(.random(in: 200_000...800_000))
        }
    }

    private func reload() throws {
        try write("LPS_SLOW_LOG_AFTER=\(100 + round % 100)s\n".utf8, to: configuration)
        for worker in load.stack.workers {
            let before = worker.count(Self.isRead)
            worker.signal(SIGHUP)
            try eventually("a worker reads its configuration: \(worker.log)", within: 300) {
                !worker.isRunning || worker.count(Self.isRead) > before
            }
            load.expect(worker.isRunning, "a worker ended at SIGHUP: \(worker.log)")
        }
        load.count("workers reloaded (SIGHUP)", load.stack.workers.count)
    }

    private func kill() throws {
        load.kill(killed)
        killed = try load.stack.startWorkers(1)[0]
        load.count("workers killed (SIGKILL)")
    }

    private func replace(_ worker: inout ChildProcess, _ signal: Int32, _ what: String) throws {
        let next = try load.stack.startWorkers(1)[0]
        let status = load.stack.stop(worker, signal)
        load.expect(status == 0, "a stopped worker ended with status \(status): \(worker.log)")
        worker = next
        load.count(what)
    }
}
