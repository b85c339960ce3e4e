import Foundation

/// The payloads that a service stored for many threads, by their keys.
package final class Taken: @unchecked Sendable {
    // Guarded by the lock.
    private var all: [String: [UInt8]] = [:]
    private let lock = NSLock()

    package init() {}

    package func add(_ key: String, _ payload: [UInt8]) { lock.withLock { all[key] = payload } }
    package var payloads: [String: [UInt8]] { lock.withLock { all } }
}
