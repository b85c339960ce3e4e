import ArgumentParser
import Encoding
import Glibc

/// Slows down to a number of bytes a second.
///
/// What was late by moments, as after a pause that took too long, is made up for; what a stall of the disk or a suspended
/// process has cost is not: in no second more than a tenth over the limit passes (and one piece).
struct RateLimit {
    /// How much of the time that was not used may still be used.
    private static let grace = Duration.milliseconds(100)

    private let bytesPerSecond: UInt64?
    private let clock: PacingClock
    /// When the next byte may pass.
    private var due: Duration?

    /// - Parameter bytesPerSecond: `nil` for no limit.
    init(bytesPerSecond: UInt64?, clock: PacingClock = .system) {
        self.bytesPerSecond = bytesPerSecond
        self.clock = clock
    }

    /// Tells that so many bytes have passed, and waits until more may.
    mutating func pass(_ bytes: Int) {
        guard let bytesPerSecond else { return }
        let now = clock.now()
        let share = Duration.seconds(Double(bytes) / Double(bytesPerSecond))
        // At a low limit a piece has a long time of its own, in which it was read.
        let due = max(due ?? now, now - max(Self.grace, share)) + share
        self.due = due
        if due > now { clock.pause(due - now) }
    }
}

/// The clock that a ``RateLimit`` goes by.
struct PacingClock {
    /// The time since a moment in the past that is always the same.
    let now: () -> Duration
    /// Waits so long, or a little longer. A shorter pause costs no more than that.
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

/// A size that is not zero.
struct ByteCount: ExpressibleByArgument {
    let bytes: UInt64

    init?(argument: String) {
        guard let bytes = ByteSize.parse(argument), bytes > 0 else { return nil }
        self.bytes = bytes
    }
}
