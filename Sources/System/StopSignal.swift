import Glibc
import Synchronization

/// Ctrl-Z must not stop a process that has others wait for it. While it is held off, SIGTSTP is ignored, by all threads:
/// a mask is one thread's, and any thread that takes the signal stops them all.
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
