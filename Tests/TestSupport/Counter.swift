import Foundation

/// Counts from many threads.
package final class Counter: @unchecked Sendable {
    // Guarded by the lock.
    private var count = 0
    private let lock = NSLock()

    package init() {}
    package func add(_ amount: Int = 1) { lock.withLock { count += amount } }
    package var value: Int { lock.withLock { count } }
}
