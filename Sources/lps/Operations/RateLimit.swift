import ArgumentParser
import Encoding
import Glibc

/// Limits reads to a number of bytes per second.
///
/// It makes up for short delays, such as pauses that took too long, but not for stalls of the disk or a suspended process:
/// in any second, at most 10 % more than the limit passes, plus one piece.
struct RateLimit {
    /// The longest delay that is made up for.
    private static let grace = Duration.milliseconds(100)

    private let bytesPerSecond: UInt64?
    private let clock: PacingClock
    /// The time when the next byte may pass.
    private var due: Duration?

    /// - Parameter bytesPerSecond: The limit; `nil` for none.
    init(bytesPerSecond: UInt64?, clock: PacingClock = .system) {
        self.bytesPerSecond = bytesPerSecond
        self.clock = clock
    }

    /// Records that `bytes` have passed, and waits until more may pass.
    mutating func pass(_ bytes: Int) {
        guard let bytesPerSecond else { return }
        let now = clock.now()
        let share = Duration.seconds(Double(bytes) / Double(bytesPerSecond))
        // At a low limit, a piece's own share of time can exceed the grace.
        let due = max(due ?? now, now - max(Self.grace, share)) + share
        self.due = due
        if due > now { clock.pause(due - now) }
    }
}

/// The clock of a ``RateLimit``.
struct PacingClock {
    /// Returns the time since a fixed moment in the past.
    let now: () -> Duration
    /// Waits for at least the given time. A signal may end it early, which is harmless.
    let pause: (Duration) -> Void

    /// The system's monotonic clock.
    static var system: PacingClock {
        let start = ContinuousClock.now
        return PacingClock(
            now: { ContinuousClock.now - start },
            pause: { pause in
                let (seconds, attoseconds) = pause.components
                var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
                nanosleep(&time, nil)
            }
        )
    }
}

/// A size option, which must not be zero.
struct ByteCount: ExpressibleByArgument {
    let bytes: UInt64

    init?(argument: String) {
        guard let bytes = ByteSize.parse(argument), bytes > 0 else { return nil }
        self.bytes = bytes
    }
}
