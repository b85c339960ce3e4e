import Synchronization

/// When a process has served enough: after a number of requests, plus up to a tenth, so that the processes of a pool do
/// not all restart at once.
final class Retirement: Sendable {
    /// A supervisor takes a process that ends sooner for one that fails: multiwatch and supervisord within a second of
    /// its start, systemd after 20 starts in ten seconds (`lps-worker@.service`).
    private static let youngest = Duration.seconds(2)

    private let started = ContinuousClock.now
    private let requests = Atomic<UInt64>(0)
    private let limit = Atomic<UInt64>(.max)

    /// Requests so far.
    var served: UInt64 { requests.load(ordering: .relaxed) }

    /// - Parameter maximum: requests; `nil` for no limit.
    func set(_ maximum: UInt64?) {
        limit.store(maximum.map { $0 + UInt64.random(in: 0...$0 / 10) } ?? .max, ordering: .relaxed)
    }

    /// Begins to count again.
    func putOff() {
        requests.store(0, ordering: .relaxed)
    }

    /// Counts a request; true from the one on that reaches the limit.
    func isDue(at now: ContinuousClock.Instant = .now) -> Bool {
        requests.add(1, ordering: .relaxed).newValue >= limit.load(ordering: .relaxed) && now >= started + Self.youngest
    }
}
