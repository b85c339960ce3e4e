import StorePolicy
import Synchronization

/// The policy that the next upload goes by.
final class CurrentPolicy: Sendable {
    private let policy: Mutex<StorePolicy>

    init(_ policy: StorePolicy) { self.policy = Mutex(policy) }

    var value: StorePolicy {
        get { policy.withLock { $0 } }
        set { policy.withLock { $0 = newValue } }
    }
}
