import Glibc
import PayloadKey
import Storage
import Synchronization
import System

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
    /// The newest time recorded, as far as this process knows, and when it looked.
    private let newest: Mutex<(recorded: Int, looked: Int)?> = Mutex(nil)

    init(root: Descriptor) { self.root = root }

    /// The time to give to a key that is stored now, in seconds since 1970; `nil`: the system's. A clock that is behind the
    /// newest recorded time is wrong, and that time is the better one.
    func stamp() throws(StoreError) -> Int? {
        let now = root.kernel.now()
        let known = newest.withLock { $0 }
        if let known, now >= known.looked, now - known.looked < Self.interval {
            return now < known.recorded ? known.recorded : nil
        }
        let recorded = try record()
        return now < recorded ? recorded : nil
    }

    /// Records the system's time, unless a newer one is recorded.
    ///
    /// - Returns: the newest recorded time.
    @discardableResult
    func record() throws(StoreError) -> Int {
        let now = root.kernel.now()
        let file = try root.open(StoreLayout.clock, O_RDONLY | O_CREAT, mode: 0o640)
        let before = try file.status(StoreLayout.clock).modified
        if now > before { try file.setModified(nil, StoreLayout.clock) }
        let recorded = max(now, before)
        newest.withLock { $0 = (recorded, now) }
        return recorded
    }

    /// Makes the system's time the newest one, also when a newer one is recorded.
    func reset() throws(StoreError) {
        try root.open(StoreLayout.clock, O_RDONLY | O_CREAT, mode: 0o640).setModified(nil, StoreLayout.clock)
        newest.withLock { $0 = nil }
    }

    /// Makes sure that ages can be trusted.
    ///
    /// - Throws: ``StoreError`` with code `clockNotTrusted` that names both times.
    func check() throws(StoreError) {
        guard let recorded = try root.status(of: StoreLayout.clock)?.modified else {
            throw StoreError(.clockNotTrusted, "the store has no \(StoreLayout.clock): no worker has recorded the time")
        }
        let now = root.kernel.now()
        guard now >= recorded else {
            throw StoreError(
                .clockNotTrusted,
                "the system's clock says \(time(now)), but a worker has recorded \(time(recorded))"
            )
        }
        guard now - recorded <= Self.longestSilence else {
            throw StoreError(
                .clockNotTrusted,
                "the system's clock says \(time(now)), but the last time that a worker recorded is \(time(recorded))"
            )
        }
    }

    private func time(_ seconds: Int) -> String { UTC.text(seconds) }
}

extension DiskStore {
    /// Makes sure that the system's clock agrees with what processes that store payloads have recorded, before anything
    /// is deleted for its age.
    ///
    /// - Throws: ``StoreError`` with code `clockNotTrusted` that names both times.
    public func checkClock() throws(StoreError) { try clock.check() }

    /// Takes the system's time for right, also when a newer one was recorded.
    public func trustClock() throws(StoreError) { try clock.reset() }

    /// Records the time, for ``checkClock()``.
    public func recordTime() throws(StoreError) { try clock.record() }
}
