import Synchronization

/// Checks whether the engine answers, at most every two seconds and in one thread at a time. Other threads use the last
/// result, so that frequent health checks do not block all threads on an engine that hangs.
final class EngineHealth: Sendable {
    private let lifetime: Duration

    private struct State {
        var answer: Result<Void, any Error> = .success(())
        var asked = ContinuousClock.now
        var isAsking = false
    }

    private let state = Mutex(State())

    /// Starts with a healthy engine.
    ///
    /// - Parameter lifetime: how long a result is reused.
    init(lifetime: Duration = .seconds(2)) {
        self.lifetime = lifetime
    }

    /// Throws if the last check of the engine failed.
    ///
    /// - Parameter ask: asks the engine.
    /// - Throws: the error of `ask`, possibly of a call in another thread.
    func check(_ ask: () throws -> Void) throws {
        let isTurn = state.withLock { state in
            guard !state.isAsking, state.asked.duration(to: .now) > lifetime else { return false }
            state.isAsking = true
            return true
        }
        if isTurn {
            let answer = Result { try ask() }
            state.withLock { $0 = State(answer: answer) }
        }
        try state.withLock { $0.answer }.get()
    }
}
