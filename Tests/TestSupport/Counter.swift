import Foundation

/// Counts from many threads.
public final class Counter: @unchecked Sendable {
    // Guarded by the lock.
    private var count = 0
    private let lock = NSLock()

    public init() {}
    public func add(_ amount: Int = 1) { lock.withLock { count += amount } }
    public var value: Int { lock.withLock { count } }
}
