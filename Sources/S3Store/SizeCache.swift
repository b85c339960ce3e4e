import PayloadKey
import Synchronization

/// The sizes of payloads that were stored or asked for lately: their keys never mean another content, so only a deletion
/// makes one of them wrong, which whoever fetches the object then finds out.
///
/// Holds between `capacity` and twice as many.
final class SizeCache: Sendable {
    private let capacity: Int
    private let sizes = Mutex((young: [PayloadKey: UInt64](), old: [PayloadKey: UInt64]()))

    init(capacity: Int = 4096) {
        self.capacity = capacity
    }

    subscript(key: PayloadKey) -> UInt64? {
        get {
            let found = sizes.withLock { sizes in (sizes.young[key], sizes.old[key]) }
            if let young = found.0 { return young }
            // Asked for: it stays.
            if let old = found.1 { self[key] = old }
            return found.1
        }
        set {
            sizes.withLock { sizes in
                sizes.young[key] = newValue
                if newValue == nil { sizes.old[key] = nil }
                guard sizes.young.count >= capacity else { return }
                sizes.old = sizes.young
                sizes.young = [:]
            }
        }
    }
}
