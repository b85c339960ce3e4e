import Glibc
import Synchronization

/// Prevents Ctrl-Z from stopping a process that others wait for: while stops are held off, the process ignores SIGTSTP.
/// A signal mask would not do: it covers one thread, and any thread that receives the signal stops them all.
enum StopSignal {
    private static let state = Mutex((depth: 0, before: sigaction()))

    static func holdOff(_ isHeldOff: Bool) {
        state.withLock { state in
            state.depth += isHeldOff ? 1 : -1
            if isHeldOff, state.depth == 1 {
                var ignored = sigaction()
                ignored.__sigaction_handler.sa_handler = SIG_IGN
                sigaction(SIGTSTP, &ignored, &state.before)
            } else if !isHeldOff, state.depth == 0 {
                sigaction(SIGTSTP, &state.before, nil)
            }
        }
    }
}
