import EnvironmentFile
import Scoreboard
import Testing

@testable import lps_worker

@Suite struct WatchdogTests {
    private static let minute: UInt64 = 60_000_000_000

    private func thread(requestSince: UInt64) -> ThreadRow.State {
        var state = ThreadRow.State()
        state.requestSince = requestSince
        state.progress = requestSince
        return state
    }

    @Test func `A process is not stuck while a thread makes progress, however long its request takes`() {
        let now = 100 * Self.minute
        var slow = thread(requestSince: now - 60 * Self.minute)
        #expect(Watchdog.isStuck([slow], now: now))
        slow.progress = now - Self.minute
        #expect(!Watchdog.isStuck([slow], now: now))
    }

    @Test func `A process is stuck if no client can still be waiting for its requests`() {
        let now = 100 * Self.minute
        let old = thread(requestSince: now - 6 * Self.minute)
        #expect(Watchdog.isStuck([old, old], now: now))
        #expect(!Watchdog.isStuck([old, thread(requestSince: now - 4 * Self.minute)], now: now))
        #expect(!Watchdog.isStuck([old, thread(requestSince: 0)], now: now), "an idle thread can serve")
        #expect(!Watchdog.isStuck([], now: now))
    }

    @Test func `A watchdog that systemd requests for another process is ignored`() throws {
        let scoreboard = try Scoreboard(in: nil, threads: 1)
        #expect(Watchdog(Environment { ["WATCHDOG_USEC": "1000000"][$0] }, scoreboard) != nil)
        #expect(Watchdog(Environment { ["WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"][$0] }, scoreboard) == nil)
        #expect(Watchdog(Environment { _ in nil }, scoreboard) == nil)
    }
}
