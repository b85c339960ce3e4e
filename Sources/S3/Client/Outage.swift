import Synchronization

/// Whether the engine has failed for some time, whoever has asked it: then the threads of this process do not all wait for
/// it, so that some are left for what needs no engine.
final class Outage: Sendable {
    /// How many requests may then try whether the engine is back.
    private static let probes = 4
    /// How long they wait for a connection.
    static let connectTimeout = Duration.seconds(1)
    /// How long nothing may come or go then.
    static let stallTime = Duration.seconds(2)

    private struct State {
        /// When the first request failed after the last success.
        var failingSince: ContinuousClock.Instant?
        /// Requests under way that have begun while it was on. Others may still take long, as uploads that it has
        /// interrupted.
        var probing = 0
    }

    /// A request that may begin.
    struct Turn {
        fileprivate let isProbe: Bool
    }

    private let state = Mutex(State())
    private let patience: Duration

    /// - Parameter patience: how long all requests must have failed.
    init(after patience: Duration) {
        self.patience = patience
    }

    var isOn: Bool { state.withLock { isOn($0) } }

    private func isOn(_ state: State) -> Bool {
        state.failingSince.map { $0.duration(to: .now) > patience } ?? false
    }

    /// A request wants to begin; ``end(_:isFailure:)`` must follow when it may.
    ///
    /// - Returns: `nil` when enough others try already.
    func begin() -> Turn? {
        state.withLock { state in
            guard isOn(state) else { return Turn(isProbe: false) }
            guard state.probing < Self.probes else { return nil }
            state.probing += 1
            return Turn(isProbe: true)
        }
    }

    /// A request has ended.
    ///
    /// - Parameter isFailure: whether the engine could not be reached, or has failed itself.
    func end(_ turn: Turn, isFailure: Bool) {
        state.withLock { state in
            if turn.isProbe { state.probing -= 1 }
            state.failingSince = isFailure ? state.failingSince ?? .now : nil
        }
    }
}
