import Encoding
import Glibc
import PayloadKey

/// When keys are old enough to be deleted.
struct Expiry: Sendable {
    /// Seconds since 1970.
    let now = time(nil)
    private let retention: Retention
    private let lag: Int

    /// - Parameter lag: seconds by which a key may have been stored later than its age says.
    init(_ retention: Retention, lag: Int) {
        self.retention = retention
        self.lag = lag
    }

    func age(of namespace: Namespace) -> Age? { retention.age(for: namespace) }

    func hasAge(_ namespace: Namespace) -> Bool { age(of: namespace) != nil }

    func isOver(_ key: PayloadKey, _ lastStored: Int) -> Bool {
        guard let age = age(of: key.namespace) else { return false }
        return lastStored < now - age.seconds - lag
    }
}
