import Glibc
import Logging
import Storage
import Synchronization

/// The time by which keys age, and what is known of whether the system's clock can be trusted.
///
/// The store remembers the newest time that a process which stores payloads has seen: the mtime of the file `clock`.
/// A machine that starts with a clock of years ago would otherwise store payloads that look old enough to delete, and a
/// clock that jumps ahead would make everything look old.
final class StoreClock: Sendable {
    /// How far apart two records are at least, in seconds.
    static let interval = 600
    /// How far the clock may be ahead of the last record before ages are not trusted, in seconds.
    static let longestSilence = 3 * 24 * 60 * 60

    private let root: Descriptor
    private let logger: Logger
    /// What this process has last seen of the record.
    private let last: Mutex<Look?> = Mutex(nil)

    private struct Look {
        /// The newest recorded time, in seconds since 1970.
        var recorded: Int
        /// The same moment on the system's clock, in seconds since 1970, and on the one that never jumps, while they agreed.
        var clock: Int
        var uptime: Duration
        /// When it looked, on the one that never jumps.
        let looked: Duration
    }

    init(root: Descriptor, logger: Logger) {
        self.root = root
        self.logger = logger
    }

    /// The time to give to a key that is stored now, in seconds since 1970; `nil`: the system's. A clock that is behind the
    /// newest recorded time is wrong, and that time is the better one.
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

    /// Records the system's time, unless a newer one is recorded, or the clock has jumped ahead since this process last
    /// looked: then it may be wrong, and ages are not to be trusted until somebody says that they are.
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
                // After a power loss, the clock is most likely to be wrong.
                try file.synchronize()
                look.recorded = now
            } else {
                logger.error(
                    "the system's clock has jumped ahead, and is not recorded: restart the worker if it is right",
                    metadata: ["seconds": "\(jump)", "clock": "\(UTC.text(now))", "recorded": "\(UTC.text(before))"]
                )
                (look.clock, look.uptime) = (known.clock, known.uptime)
            }
        }
        last.withLock { [look] in $0 = look }
        return look.recorded
    }

    /// Makes the system's time the newest one, also when a newer one is recorded.
    func reset() throws {
        let file = try root.open(StoreLayout.clock, O_RDONLY | O_CREAT, mode: 0o640)
        try file.setModified(nil)
        try file.synchronize()
        last.withLock { $0 = nil }
    }

    /// Makes sure that ages can be trusted.
    ///
    /// - Throws: ``StoreError`` with code `clockNotTrusted` that names both times.
    func check() throws {
        guard let recorded = try root.status(of: StoreLayout.clock)?.modified else {
            throw StoreError(.clockNotTrusted, "the store has no \(StoreLayout.clock): no worker has recorded the time")
        }
        let now = root.kernel.now()
        let isBehind = now < recorded
        guard isBehind || now - recorded > Self.longestSilence else { return }
        let record = isBehind ? "a worker has recorded" : "the last time that a worker recorded is"
        let message = "the system's clock says \(UTC.text(now)), but \(record) \(UTC.text(recorded))"
        throw StoreError(.clockNotTrusted, message)
    }
}

extension DiskStore {
    /// Makes sure that the system's clock agrees with what processes that store payloads have recorded, before anything
    /// is deleted for its age.
    ///
    /// - Throws: ``StoreError`` with code `clockNotTrusted` that names both times.
    public func checkClock() throws { try clock.check() }

    /// Takes the system's time for right, also when a newer one was recorded.
    public func trustClock() throws { try clock.reset() }

    /// Records the time, for ``checkClock()``.
    public func recordTime() throws { try clock.record() }
}
