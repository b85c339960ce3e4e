import Synchronization

/// Detects that all requests to the engine have failed for some time. Then only a few threads of this process wait for
/// the engine, and the others stay free for requests that need no engine.
final class Outage: Sendable {
    /// The number of requests that may try the engine at the same time during an outage.
    private static let probes = 4
    /// The connection timeout during an outage.
    static let connectTimeout = Duration.seconds(1)
    /// The time without progress after which a request fails during an outage.
    static let stallTime = Duration.seconds(2)

    private struct State {
        /// The time of the first failure since the last success.
        var failingSince: ContinuousClock.Instant?
        /// The number of running requests that began during the outage. Requests that began earlier do not count: they
        /// may take long, as interrupted uploads do.
        var probing = 0
    }

    /// Permission to send a request.
    struct Turn {
        fileprivate let isProbe: Bool
    }

    private let state = Mutex(State())
    private let patience: Duration

    /// - Parameter patience: the time for which all requests must have failed.
    init(after patience: Duration) {
        self.patience = patience
    }

    var isOn: Bool { state.withLock { isOn($0) } }

    private func isOn(_ state: State) -> Bool {
        state.failingSince.map { $0.duration(to: .now) > patience } ?? false
    }

    /// Asks for permission to send a request. Each permission needs a call of ``end(_:isFailure:)``.
    ///
    /// - Returns: `nil` if enough other requests are already trying the engine.
    func begin() -> Turn? {
        state.withLock { state in
            guard isOn(state) else { return Turn(isProbe: false) }
            guard state.probing < Self.probes else { return nil }
            state.probing += 1
            return Turn(isProbe: true)
        }
    }

    /// Records that a request has ended.
    ///
    /// - Parameter isFailure: whether the engine was unreachable or failed.
    func end(_ turn: Turn, isFailure: Bool) {
        state.withLock { state in
            if turn.isProbe { state.probing -= 1 }
            state.failingSince = isFailure ? state.failingSince ?? .now : nil
        }
    }
}
