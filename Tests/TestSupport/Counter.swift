import Foundation

package final class Counter: @unchecked Sendable {
    // Guarded by the lock.
    private var count = 0
    private let lock = NSLock()

    package init() {}

    /// - Returns: the count with the amount added.
    @discardableResult
    package func add(_ amount: Int = 1) -> Int {
        lock.withLock {
            count += amount
            return count
        }
    }

    /// Sets the count to `value`, if that is larger.
    package func raise(to value: Int) { lock.withLock { count = max(count, value) } }

    package var value: Int { lock.withLock { count } }
}
