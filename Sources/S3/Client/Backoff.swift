import Glibc

/// Exponential backoff with full jitter ("Exponential Backoff And Jitter" of the AWS Architecture Blog): clients that
/// failed together do not come back together.
struct Backoff {
    private let limits: S3Limits
    private var deadline: ContinuousClock.Instant
    private var window: Duration

    /// - Parameter limit: when the caller gives up.
    init(_ limits: S3Limits, until limit: ContinuousClock.Instant?) {
        self.limits = limits
        deadline = .now + limits.retryFor
        if let limit { deadline = min(deadline, limit) }
        window = limits.backoff
    }

    /// Begins again after something has come; the caller's deadline was for that.
    mutating func restart() {
        deadline = .now + limits.retryFor
        window = limits.backoff
    }

    /// How long to wait before the next try; `nil` when there is no time for one.
    ///
    /// - Parameter least: what the engine asked for.
    mutating func next(atLeast least: Duration) -> Duration? {
        let wait = max(window * Double.random(in: 0...1), least)
        window = min(window * 2, limits.longestBackoff)
        return .now + wait < deadline ? wait : nil
    }
}

extension Duration {
    /// Waits for so long, whatever signals come.
    func sleep() {
        var rest = timespec(
            tv_sec: Int(components.seconds),
            tv_nsec: Int(components.attoseconds / 1_000_000_000)
        )
        var left = timespec()
        while nanosleep(&rest, &left) != 0 && errno == EINTR { rest = left }
    }
}
