import ArgumentParser
import ByteSize
import Glibc

/// Slows down to a number of bytes a second, over all that has passed.
struct RateLimit {
    private let bytesPerSecond: UInt64?
    private let start = ContinuousClock.now
    private var passed: UInt64 = 0

    init(bytesPerSecond: UInt64?) {
        self.bytesPerSecond = bytesPerSecond
    }

    mutating func pass(_ bytes: Int) {
        guard let bytesPerSecond else { return }
        passed += UInt64(bytes)
        let early = start + .seconds(Double(passed) / Double(bytesPerSecond)) - ContinuousClock.now
        guard early > .zero else { return }
        let (seconds, attoseconds) = early.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        // A signal that ends the pause early costs no more than that.
        nanosleep(&time, nil)
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
