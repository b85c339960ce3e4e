import Synchronization

/// Whether the engine answers, asked at most every two seconds and by one thread at a time: others take what is known, so
/// that no thread waits for an engine that hangs only because load balancers ask often.
final class EngineHealth: Sendable {
    private static let lifetime = Duration.seconds(2)

    private struct State {
        var answer: Result<Void, any Error> = .success(())
        var asked = ContinuousClock.now
        var isAsking = false
    }

    private let state = Mutex(State())

    /// - Parameter ask: asks the engine.
    /// - Throws: what it has thrown, perhaps to another thread.
    func check(_ ask: () throws -> Void) throws {
        let isTurn = state.withLock { state in
            guard !state.isAsking, state.asked.duration(to: .now) > Self.lifetime else { return false }
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
