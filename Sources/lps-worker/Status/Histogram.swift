/// Where durations are counted: a counter for each bucket, one for all that is longer, and one for their sum.
struct Histogram {
    /// Upper bounds of the buckets, in seconds: from a small download to the largest payload on a slow disk.
    static let bounds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300,
    ]
    /// As the page names the buckets, with that of all longer ones.
    static let boundNames = bounds.map { "\($0)" } + ["+Inf"]
    /// How many counters a histogram takes.
    static let counters = bounds.count + 2

    /// The first of its counters.
    let first: Int

    /// The counters to add to for a duration, and what.
    func counts(_ duration: Duration) -> [(counter: Int, value: UInt64)] {
        let seconds = duration.seconds
        let bucket = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
        return [(first + bucket, 1), (first + Self.counters - 1, UInt64(max(0, seconds) * 1e9))]
    }

    /// What was counted: for each bound, and for no bound at last, how many durations are not over it.
    func read(_ total: (Int) -> UInt64) -> DurationCounts {
        var sum: UInt64 = 0
        let cumulative = (0...Self.bounds.count).map { bucket in
            sum += total(first + bucket)
            return sum
        }
        return DurationCounts(cumulative: cumulative, seconds: Double(total(first + Self.counters - 1)) / 1e9)
    }
}

/// What a histogram has counted.
struct DurationCounts {
    /// For each of ``Histogram/bounds``, how many durations are not over it, and at last, how many there are.
    let cumulative: [UInt64]
    /// Their sum.
    let seconds: Double

    var count: UInt64 { cumulative.last ?? 0 }
}

extension Duration {
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
