import Synchronization

/// When a process has served enough and starts anew: after so many requests, and up to a tenth more, so that the
/// processes of a pool do not all do it at once.
final class Retirement: Sendable {
    private let requests = Atomic<UInt64>(0)
    private let limit = Atomic<UInt64>(.max)

    /// - Parameter maximum: requests; `nil` for no end.
    func set(_ maximum: UInt64?) {
        limit.store(maximum.map { $0 + UInt64.random(in: 0...$0 / 10) } ?? .max, ordering: .relaxed)
    }

    /// Begins to count anew.
    func putOff() {
        requests.store(0, ordering: .relaxed)
    }

    /// Counts a request; true from the one on that reaches the limit.
    func isDue() -> Bool {
        requests.add(1, ordering: .relaxed).newValue >= limit.load(ordering: .relaxed)
    }
}
