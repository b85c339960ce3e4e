import Testing

@testable import lps

@Suite struct RateLimitTests {
    /// A clock that only reads and pauses advance.
    private final class SimulatedClock {
        var time = Duration.zero
        var pauses = 0
        /// How much longer each pause takes than requested.
        let oversleep: Duration

        init(oversleep: Duration = .zero) { self.oversleep = oversleep }

        var pacing: PacingClock {
            PacingClock(
                now: { self.time },
                pause: {
                    self.time += $0 + self.oversleep
                    self.pauses += 1
                }
            )
        }
    }

    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    /// Reads for ten seconds or a hundred pieces, whichever is longer, and returns the bytes per second.
    private func measuredRate(
        limit: UInt64,
        piece: Int,
        diskSpeed: Double,
        oversleep: Duration
    ) -> Double {
        let clock = SimulatedClock(oversleep: oversleep)
        var rate = RateLimit(bytesPerSecond: limit, clock: clock.pacing)
        var passed = 0
        while clock.time < .seconds(10) || passed < 100 * piece {
            clock.time += .seconds(Double(piece) / diskSpeed)
            rate.pass(piece)
            passed += piece
        }
        return Double(passed) / seconds(clock.time)
    }

    @Test(
        arguments: [
            (64 << 10, 1_000), (64 << 10, 64 << 10), (1 << 20, 1_000), (1 << 20, 64 << 10), (100 << 20, 64 << 10),
            (1 << 30, 64 << 10),
        ] as [(UInt64, Int)]
    )
    func `The limit holds within a tenth, with any piece size and any length of pauses`(
        limit: UInt64,
        piece: Int
    ) {
        for oversleep in [Duration.zero, .microseconds(60), .milliseconds(4), .milliseconds(50)] {
            for diskSpeed in [1.5, 20.0] {
                let measured = measuredRate(
                    limit: limit,
                    piece: piece,
                    diskSpeed: Double(limit) * diskSpeed,
                    oversleep: oversleep
                )
                #expect(abs(measured / Double(limit) - 1) < 0.1, "pauses \(oversleep) longer, disk \(diskSpeed) times")
            }
        }
    }

    @Test func `In no second after a stall does the rate exceed the limit by more than a tenth`() {
        let limit = 10 << 20
        let piece = 64 << 10
        let clock = SimulatedClock()
        var rate = RateLimit(bytesPerSecond: UInt64(limit), clock: clock.pacing)
        var reads: [Duration] = []
        for index in 0..<1_600 {
            // The disk stalls for a minute, and for half a second.
            if index == 400 { clock.time += .seconds(60) }
            if index == 800 { clock.time += .milliseconds(500) }
            reads.append(clock.time)
            rate.pass(piece)
        }
        for start in reads {
            let passed = reads.count { $0 >= start && $0 < start + .seconds(1) } * piece
            #expect(passed <= limit + limit / 10 + piece)
        }
    }

    @Test func `A disk slower than the limit is not slowed further`() {
        let clock = SimulatedClock()
        var rate = RateLimit(bytesPerSecond: 1 << 20, clock: clock.pacing)
        for _ in 0..<1_000 {
            clock.time += .seconds(0.07)
            rate.pass(64 << 10)
        }
        #expect(clock.pauses <= 1, "at most for the first piece, when the disk's speed is unknown")
    }

    @Test func `Without a limit nothing waits or reads the clock`() {
        var rate = RateLimit(
            bytesPerSecond: nil,
            clock: PacingClock(
                now: {
                    Issue.record("looked at"); return .zero
                },
                pause: { _ in Issue.record("waited") }
            )
        )
        for _ in 0..<100 { rate.pass(1 << 30) }
    }
}
