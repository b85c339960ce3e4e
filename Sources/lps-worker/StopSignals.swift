import FastCGI
import Glibc

/// SIGTERM, SIGINT and SIGQUIT (nginx's and PHP-FPM's graceful stop): the first stops the worker, the second ends it at
/// once.
struct StopSignals {
    private static let names = [SIGTERM: "SIGTERM", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT"]
    private let signals: sigset_t

    /// Blocks the signals, for this thread and all that it starts. SIGUSR1, for which libfcgi installs a handler, is
    /// blocked, too: it would interrupt a read of some request.
    init() {
        var stop = sigset_t()
        sigemptyset(&stop)
        for signal in Self.names.keys { sigaddset(&stop, signal) }
        signals = stop
        var blocked = stop
        sigaddset(&blocked, SIGUSR1)
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
    }

    /// Starts a thread that waits for the signals.
    ///
    /// - Parameter stop: called for the first one, with its name.
    func watch(_ stop: @escaping @Sendable (_ signal: String) -> Void) throws {
        let signals = self.signals
        _ = try WorkerThread {
            let first = Self.wait(for: signals)
            stop(Self.names[first] ?? "\(first)")
            let second = Self.wait(for: signals)
            writeLine("lps-worker: second signal, requests under way are cut off")
            _exit(128 + second)
        }
    }

    private static func wait(for signals: sigset_t) -> Int32 {
        var signals = signals
        var signal: Int32 = 0
        while sigwait(&signals, &signal) != 0 {}
        return signal
    }
}
