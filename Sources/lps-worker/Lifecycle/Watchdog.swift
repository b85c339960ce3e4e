import EnvironmentFile
import Glibc
import Scoreboard
import System

/// Notifies systemd's watchdog (`WatchdogSec=`, sd_watchdog_enabled(3)) that the process works. Stops doing so when every
/// thread has made no progress with its request for longer than web servers wait for the next byte.
struct Watchdog {
    private let interval: UInt64
    private let scoreboard: Scoreboard
    /// `fastcgi_read_timeout` of our nginx files, in nanoseconds.
    private static let patience: UInt64 = 300_000_000_000

    /// Returns `nil` if systemd expects no notifications from this process.
    init?(_ environment: Environment, _ scoreboard: Scoreboard) {
        guard let microseconds = environment["WATCHDOG_USEC"].flatMap({ UInt64($0) }), microseconds > 0,
            environment["WATCHDOG_PID"].map({ $0 == "\(getpid())" }) ?? true
        else { return nil }
        // sd_watchdog_enabled(3) recommends half of the time.
        interval = microseconds / 2
        self.scoreboard = scoreboard
    }

    func start() throws {
        try WorkerThread {
            while true {
                if !Self.isStuck(scoreboard.ownThreads, now: monotonicNow()) { notifySystemd("WATCHDOG=1") }
                // usleep(3) may reject a second or more.
                sleep(UInt32(clamping: interval / 1_000_000))
                usleep(UInt32(interval % 1_000_000))
            }
        }.detach()
    }

    static func isStuck(_ threads: [ThreadRow.State], now: UInt64) -> Bool {
        !threads.isEmpty && threads.allSatisfy { $0.requestSince > 0 && now > $0.progress + patience }
    }
}
