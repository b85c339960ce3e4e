import EnvironmentFile
import Glibc
import Scoreboard
import System

/// Tells systemd that the process is of use (`WatchdogSec=`, sd_watchdog_enabled(3)): not when none of its threads has
/// got on with its request for longer than any web server waits for the next byte.
struct Watchdog {
    private let interval: UInt64
    private let scoreboard: Scoreboard
    /// nginx's fastcgi_read_timeout in our files.
    private static let patience: UInt64 = 300_000_000_000

    /// `nil` when systemd does not ask for it.
    init?(_ environment: Environment, _ scoreboard: Scoreboard) {
        guard let microseconds = environment["WATCHDOG_USEC"].flatMap({ UInt64($0) }), microseconds > 0,
            environment["WATCHDOG_PID"].map({ $0 == "\(getpid())" }) ?? true
        else { return nil }
        // Half of the time is what sd_watchdog_enabled(3) recommends.
        interval = microseconds / 2
        self.scoreboard = scoreboard
    }

    func start() throws {
        try WorkerThread {
            while true {
                if !Self.isStuck(scoreboard.ownThreads, now: monotonicNow()) { notifySystemd("WATCHDOG=1") }
                // usleep(3) may refuse a second or more.
                sleep(UInt32(clamping: interval / 1_000_000))
                usleep(UInt32(interval % 1_000_000))
            }
        }.detach()
    }

    static func isStuck(_ threads: [ThreadRow.State], now: UInt64) -> Bool {
        !threads.isEmpty && threads.allSatisfy { $0.requestSince > 0 && now > $0.progress + patience }
    }
}
