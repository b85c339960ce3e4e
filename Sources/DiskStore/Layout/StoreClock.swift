import Glibc
import Logging
import Storage
import Synchronization

/// The clock by which keys age, which detects when the system's clock can't be trusted.
///
/// The store remembers, as the mtime of the file `clock`, the newest time seen by a process that stores payloads.
/// Without it, payloads stored while the clock is years behind would look old enough to delete, and a clock that jumps
/// ahead would make all payloads look old.
final class StoreClock: Sendable {
    /// The shortest time between two records, in seconds.
    static let interval = 600
    /// How far the clock may be ahead of the last record before ages are distrusted, in seconds.
    static let longestSilence = 3 * 24 * 60 * 60

    private let root: Descriptor
    private let logger: Logger
    /// The record as this process last saw it.
    private let last: Mutex<Look?> = Mutex(nil)

    private struct Look {
        /// The newest recorded time, in seconds since 1970.
        var recorded: Int
        /// The system's clock (seconds since 1970) and the clock that never jumps, read at the same moment, the last
        /// time they agreed.
        var clock: Int
        var uptime: Duration
        /// When the record was read, on the clock that never jumps.
        let looked: Duration
    }

    init(root: Descriptor, logger: Logger) {
        self.root = root
        self.logger = logger
    }

    /// The time to set for a key that is stored now, in seconds since 1970; `nil` for the system's time. A clock behind
    /// the newest recorded time is wrong; the recorded time is then used.
    func stamp() throws -> Int? {
        let now = root.kernel.now()
        if let last = last.withLock({ $0 }), now >= last.recorded,
            root.kernel.uptime() - last.looked < .seconds(Self.interval)
        {
            return nil
        }
        let recorded = try record()
        return now < recorded ? recorded : nil
    }

    /// Records the system's time, unless a newer time is recorded, or the clock has jumped ahead since this process
    /// last read it. After a jump the clock may be wrong, and ages are distrusted until an operator confirms it.
    ///
    /// - Returns: the newest recorded time.
    @discardableResult
    func record() throws -> Int {
        let now = root.kernel.now()
        let uptime = root.kernel.uptime()
        let file = try root.open(StoreLayout.clock, O_RDONLY | O_CREAT, mode: 0o640)
        let before = try file.status().modified
        var look = Look(recorded: before, clock: now, uptime: uptime, looked: uptime)
        if now > before {
            let known = last.withLock { $0 } ?? look
            let jump = now - known.clock - Int((uptime - known.uptime).components.seconds)
            if jump <= Self.longestSilence {
                try file.setModified(now)
                // Synced, because the clock is most likely to be wrong after a power loss.
                try file.synchronize()
                look.recorded = now
            } else {
                logger.error(
                    "system clock jumped ahead, time not recorded: restart the worker if the clock is right",
                    metadata: ["seconds": "\(jump)", "clock": "\(UTC.text(now))", "recorded": "\(UTC.text(before))"]
                )
                (look.clock, look.uptime) = (known.clock, known.uptime)
            }
        }
        last.withLock { [look] in $0 = look }
        return look.recorded
    }

    /// Records the system's time, even if a newer time is recorded.
    func reset() throws {
        let file = try root.open(StoreLayout.clock, O_RDONLY | O_CREAT, mode: 0o640)
        try file.setModified(nil)
        try file.synchronize()
        last.withLock { $0 = nil }
    }

    /// Checks that ages can be trusted.
    ///
    /// - Throws: ``StoreError`` with code `clockNotTrusted` that names both times.
    func check() throws {
        guard let recorded = try root.status(of: StoreLayout.clock)?.modified else {
            throw StoreError(.clockNotTrusted, "the store has no \(StoreLayout.clock): no worker has recorded the time")
        }
        let now = root.kernel.now()
        let isBehind = now < recorded
        guard isBehind || now - recorded > Self.longestSilence else { return }
        let record = isBehind ? "a worker recorded" : "the last time recorded by a worker is"
        let message = "the system clock says \(UTC.text(now)), but \(record) \(UTC.text(recorded))"
        throw StoreError(.clockNotTrusted, message)
    }
}

extension DiskStore {
    /// Checks that the system's clock agrees with the time recorded by processes that store payloads. Called before
    /// anything is deleted because of its age.
    ///
    /// - Throws: ``StoreError`` with code `clockNotTrusted` that names both times.
    public func checkClock() throws { try clock.check() }

    /// Records the system's time, even if a newer time is recorded, because an operator has confirmed it.
    public func trustClock() throws { try clock.reset() }

    /// Records the time, for ``checkClock()``.
    public func recordTime() throws { try clock.record() }
}
