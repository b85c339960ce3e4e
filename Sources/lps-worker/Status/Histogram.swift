/// The numbers of a histogram's counters: one per bucket, one for longer durations, one for the sum in nanoseconds.
struct Histogram {
    /// Upper bounds of the buckets in nanoseconds, from a small download to the largest payload on a slow disk.
    static let bounds: [UInt64] = [
        1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000,
        1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000, 30_000_000_000, 60_000_000_000, 120_000_000_000,
        300_000_000_000,
    ]
    /// The buckets' names on the page in seconds, including the one for longer durations.
    static let boundNames = bounds.map { "\(Double($0) / 1e9)" } + ["+Inf"]
    /// The number of counters that a histogram takes.
    static let counters = bounds.count + 2

    let first: Int

    /// The counter of the sum.
    var sum: Int { first + Self.counters - 1 }

    /// The counter of the bucket that a duration in nanoseconds belongs to.
    func bucket(_ duration: UInt64) -> Int { first + (Self.bounds.firstIndex { duration <= $0 } ?? Self.bounds.count) }

    /// Reads the counters; `total` returns a counter's value over all processes.
    func read(_ total: (Int) -> UInt64) -> DurationCounts {
        var count: UInt64 = 0
        let cumulative = (0...Self.bounds.count).map { bucket in
            count += total(first + bucket)
            return count
        }
        return DurationCounts(cumulative: cumulative, seconds: Double(total(sum)) / 1e9)
    }
}

/// A histogram's values.
struct DurationCounts {
    /// For each of ``Histogram/bounds``, the number of durations up to it; last, the number of all durations.
    let cumulative: [UInt64]
    /// The sum of the durations.
    let seconds: Double

    var count: UInt64 { cumulative.last ?? 0 }
}

extension Duration {
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
