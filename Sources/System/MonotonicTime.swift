import Glibc

/// Nanoseconds of the machine's monotonic clock, which all processes share and nobody can set (clock_gettime(2),
/// CLOCK_MONOTONIC).
package func monotonicNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
