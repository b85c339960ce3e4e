import PayloadKey
import Storage
import Synchronization

/// Remembers the payloads that were recently stored or found. A key always means the same content, so downloads need
/// not ask the engine for a while. Other processes may delete a payload in the meantime.
final class ObjectCache: Sendable {
    struct Entry: Sendable {
        /// The size in bytes.
        let size: UInt64
        /// The object's key, as the engine spells it.
        let object: [UInt8]
        fileprivate let learned = ContinuousClock.now
    }

    private let lifetime: Duration
    private let entries: Mutex<RecentValues<PayloadKey, Entry>>

    init(capacity: Int = 8192, lifetime: Duration = .seconds(60)) {
        self.lifetime = lifetime
        entries = Mutex(RecentValues(capacity: capacity))
    }

    subscript(key: PayloadKey) -> Entry? {
        get {
            guard let entry = entries.withLock({ $0[key] }) else { return nil }
            return entry.learned.duration(to: .now) < lifetime ? entry : nil
        }
        set { entries.withLock { $0[key] = newValue } }
    }
}
