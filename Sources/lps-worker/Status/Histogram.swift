/// The numbers of a histogram's counters: one per bucket, one for longer durations, one for the sum in nanoseconds.
struct Histogram {
    /// Upper bounds of the buckets in seconds, from a small download to the largest payload on a slow disk.
    static let bounds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300,
    ]
    /// The buckets' names on the page, including the one for longer durations.
    static let boundNames = bounds.map { "\($0)" } + ["+Inf"]
    /// The number of counters that a histogram takes.
    static let counters = bounds.count + 2

    let first: Int

    /// The counters that a duration increases, and by how much.
    func counts(_ duration: Duration) -> [(counter: Int, value: UInt64)] {
        let seconds = duration.seconds
        let bucket = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
        return [(first + bucket, 1), (first + Self.counters - 1, UInt64(max(0, seconds) * 1e9))]
    }

    /// Reads the counters; `total` returns a counter's value over all processes.
    func read(_ total: (Int) -> UInt64) -> DurationCounts {
        var sum: UInt64 = 0
        let cumulative = (0...Self.bounds.count).map { bucket in
            sum += total(first + bucket)
            return sum
        }
        return DurationCounts(cumulative: cumulative, seconds: Double(total(first + Self.counters - 1)) / 1e9)
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
