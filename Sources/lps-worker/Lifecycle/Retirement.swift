import Synchronization

/// Decides when a process restarts: after a number of requests plus up to 10 %, so that the processes of a pool do not
/// all restart at once.
final class Retirement: Sendable {
    /// A process does not retire earlier, because supervisors treat an early exit as a failure: multiwatch and supervisord
    /// within a second of the start, systemd after 20 starts in ten seconds (`lps-worker@.service`).
    private static let youngest = Duration.seconds(2)

    private let started = ContinuousClock.now
    private let requests = Atomic<UInt64>(0)
    private let limit = Atomic<UInt64>(.max)

    /// The number of requests since the start or the last ``putOff()``.
    var served: UInt64 { requests.load(ordering: .relaxed) }

    /// - Parameter maximum: requests; `nil` for no limit.
    func set(_ maximum: UInt64?) {
        limit.store(maximum.map { $0 + UInt64.random(in: 0...$0 / 10) } ?? .max, ordering: .relaxed)
    }

    /// Starts counting from zero again.
    func putOff() {
        requests.store(0, ordering: .relaxed)
    }

    /// Counts a request. Returns true once the limit is reached.
    func isDue(at now: ContinuousClock.Instant = .now) -> Bool {
        requests.add(1, ordering: .relaxed).newValue >= limit.load(ordering: .relaxed) && now >= started + Self.youngest
    }
}
