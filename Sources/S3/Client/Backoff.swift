import Glibc

/// Exponential backoff with full jitter ("Exponential Backoff And Jitter" in the AWS Architecture Blog), so that
/// clients that failed together do not retry together.
struct Backoff {
    private let limits: S3Limits
    private var deadline: ContinuousClock.Instant
    private var window: Duration

    /// - Parameter limit: the caller's deadline.
    init(_ limits: S3Limits, until limit: ContinuousClock.Instant?) {
        self.limits = limits
        deadline = .now + limits.retryFor
        if let limit { deadline = min(deadline, limit) }
        window = limits.backoff
    }

    /// Restarts the retry time after progress. The caller's deadline no longer applies: it covers the first byte only.
    mutating func restart() {
        deadline = .now + limits.retryFor
        window = limits.backoff
    }

    /// The pause before the next try; `nil` if too little time is left for one.
    ///
    /// - Parameter least: the pause that the engine asked for.
    mutating func next(atLeast least: Duration) -> Duration? {
        let wait = max(window * Double.random(in: 0...1), least)
        window = min(window * 2, limits.longestBackoff)
        return .now + wait < deadline ? wait : nil
    }
}

extension Duration {
    /// Sleeps for the whole duration, even if signals interrupt it.
    func sleep() {
        var rest = timespec(
            tv_sec: Int(components.seconds),
            tv_nsec: Int(components.attoseconds / 1_000_000_000)
        )
        var left = timespec()
        while nanosleep(&rest, &left) != 0 && errno == EINTR { rest = left }
    }
}
