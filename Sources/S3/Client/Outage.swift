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
        var underWay = 0
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

    /// A request wants to begin; ``end(isFailure:)`` must follow when it may.
    ///
    /// - Returns: false when enough others try already.
    func begin() -> Bool {
        state.withLock { state in
            guard !isOn(state) || state.underWay < Self.probes else { return false }
            state.underWay += 1
            return true
        }
    }

    /// A request has ended.
    ///
    /// - Parameter isFailure: whether the engine could not be reached, or has failed itself.
    func end(isFailure: Bool) {
        state.withLock { state in
            state.underWay -= 1
            state.failingSince = isFailure ? state.failingSince ?? .now : nil
        }
    }
}
