import Synchronization

/// Whether the engine answers, asked at most every two seconds and by one thread at a time: others take what is known, so
/// that no thread waits for an engine that hangs only because load balancers ask often.
final class EngineHealth: Sendable {
    private let lifetime: Duration

    private struct State {
        var answer: Result<Void, any Error> = .success(())
        var asked = ContinuousClock.now
        var isAsking = false
    }

    private let state = Mutex(State())

    /// Begins with an engine that was just found well.
    ///
    /// - Parameter lifetime: how long an answer is taken for the next one.
    init(lifetime: Duration = .seconds(2)) {
        self.lifetime = lifetime
    }

    /// - Parameter ask: asks the engine.
    /// - Throws: what it has thrown, perhaps to another thread.
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
