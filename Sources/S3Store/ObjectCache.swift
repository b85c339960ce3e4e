import PayloadKey
import Storage
import Synchronization

/// Which payloads were stored or found lately: their keys never mean another content, so that for a while, the engine need not
/// be asked for each download. Other processes may delete them meanwhile.
final class ObjectCache: Sendable {
    /// What is known of a payload's object.
    struct Entry: Sendable {
        /// Bytes.
        let size: UInt64
        /// The object's key.
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
