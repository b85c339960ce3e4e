import Encoding
import Glibc
import PayloadKey

/// Decides which keys are expired, at one moment.
struct Expiry: Sendable {
    /// The current time, in seconds since 1970.
    let now = time(nil)
    private let retention: Retention
    private let lag: Int

    /// - Parameter lag: The seconds by which the recorded time of a key may be older than its last upload.
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
