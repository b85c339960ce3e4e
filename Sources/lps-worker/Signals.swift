import FastCGI
import Glibc
import Synchronization
import System

/// The signals that a worker knows, as nginx and PHP-FPM have them: SIGTERM, SIGINT and SIGQUIT stop it, a second one
/// ends it at once; SIGHUP has it read its configuration again, SIGUSR1 open its logs anew, SIGUSR2 start anew.
struct Signals {
    enum Event: Sendable {
        case stop(signal: String)
        case reload
        case reopenLogs
        case startAnew
    }

    private static let stopNames = [SIGTERM: "SIGTERM", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT"]
    private let signals: sigset_t

    /// Blocks the signals, for this thread and all that it starts; one that comes is kept until ``watch(_:)``.
    init() {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in Array(Self.stopNames.keys) + [SIGHUP, SIGUSR1, SIGUSR2] { sigaddset(&signals, signal) }
        self.signals = signals
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Starts a thread that waits for the signals.
    ///
    /// - Parameter handle: called on it; only once to stop.
    func watch(_ handle: @escaping @Sendable (Event) -> Void) throws -> Watch {
        let signals = self.signals
        let isEnded = IsEnded()
        let thread = try WorkerThread {
            var isStopping = false
            while true {
                let signal = Self.wait(for: signals)
                if isEnded.value {
                    // One that came just before, and is not ours: for whoever waits next.
                    if signal != SIGUSR2 { kill(getpid(), signal) }
                    return
                }
                switch signal {
                case SIGHUP: handle(.reload)
                case SIGUSR1: handle(.reopenLogs)
                case SIGUSR2: handle(.startAnew)
                default:
                    guard !isStopping else {
                        writeLine(
                            Worker.priority(.warning) + "lps-worker: second signal, requests under way are cut off"
                        )
                        _exit(128 + signal)
                    }
                    isStopping = true
                    handle(.stop(signal: Self.stopNames[signal] ?? "\(signal)"))
                }
            }
        }
        return Watch(thread: thread, isEnded: isEnded)
    }

    /// The thread that waits for the signals.
    struct Watch {
        fileprivate let thread: WorkerThread
        fileprivate let isEnded: IsEnded

        /// Waits for no more signals: one that comes from now on stays pending, also for a program that takes this one's
        /// place (execve(2)).
        func end() {
            isEnded.value = true
            // Whichever it waits for wakes it.
            thread.signal(SIGUSR2)
            thread.join()
        }
    }

    private static func wait(for signals: sigset_t) -> Int32 {
        var signals = signals
        var signal: Int32 = 0
        while sigwait(&signals, &signal) != 0 {}
        return signal
    }
}

private final class IsEnded: Sendable {
    private let flag = Atomic(false)

    var value: Bool {
        get { flag.load(ordering: .sequentiallyConsistent) }
        set { flag.store(newValue, ordering: .sequentiallyConsistent) }
    }
}
