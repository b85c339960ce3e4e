import FastCGI
import Glibc
import System

/// The signals that a worker handles, similar to nginx and PHP-FPM: SIGTERM, SIGINT and SIGQUIT stop it, and a second one
/// ends it at once; SIGHUP reloads the configuration, SIGUSR1 reopens the logs, SIGUSR2 restarts the worker.
struct Signals {
    enum Event: Sendable {
        case stop(signal: String)
        case reload
        case reopenLogs
        case restart
    }

    private static let stopNames = [SIGTERM: "SIGTERM", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT"]
    private let signals: sigset_t

    /// Blocks the signals for this thread and all threads that it starts. They stay pending until ``watch(_:)``.
    init() {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in Array(Self.stopNames.keys) + [SIGHUP, SIGUSR1, SIGUSR2] { sigaddset(&signals, signal) }
        self.signals = signals
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Starts a thread that waits for the signals until the process ends.
    ///
    /// - Parameter handle: called on that thread, at most once with ``Event/stop(signal:)``.
    func watch(_ handle: @escaping @Sendable (Event) -> Void) throws {
        let signals = self.signals
        try WorkerThread {
            var isStopping = false
            while true {
                let signal = Self.wait(for: signals)
                switch signal {
                case SIGHUP: handle(.reload)
                case SIGUSR1: handle(.reopenLogs)
                case SIGUSR2: handle(.restart)
                default:
                    guard !isStopping else {
                        writeLine(
                            Worker.priority(.warning) + "lps-worker: second signal, cutting off requests in progress"
                        )
                        _exit(128 + signal)
                    }
                    isStopping = true
                    handle(.stop(signal: Self.stopNames[signal] ?? "\(signal)"))
                }
            }
        }.detach()
    }

    private static func wait(for signals: sigset_t) -> Int32 {
        var signals = signals
        var signal: Int32 = 0
        while sigwait(&signals, &signal) != 0 {}
        return signal
    }
}
