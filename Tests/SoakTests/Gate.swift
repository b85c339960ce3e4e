import Foundation

/// Lets the load through, or holds it back, so that the service can be looked at while it is idle.
final class Gate: @unchecked Sendable {
    // Guarded by the condition's lock.
    private var isOpen = false
    private var hasEnded = false
    private var inside = 0
    private let condition = NSCondition()

    /// Waits until the load may go on, and goes on with it.
    ///
    /// - Returns: `false` when it is over.
    func pass(_ body: () throws -> Void) rethrows -> Bool {
        guard enter() else { return false }
        defer { leave() }
        try body()
        return true
    }

    private func enter() -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while !isOpen, !hasEnded { condition.wait() }
        guard !hasEnded else { return false }
        inside += 1
        return true
    }

    private func leave() {
        condition.lock()
        inside -= 1
        condition.broadcast()
        condition.unlock()
    }

    /// Whether someone waits for those inside to leave.
    var isClosing: Bool {
        condition.lock()
        defer { condition.unlock() }
        return !isOpen
    }

    func open() {
        condition.lock()
        isOpen = true
        condition.broadcast()
        condition.unlock()
    }

    /// Lets nobody in any more, and waits until all have left.
    func close() {
        condition.lock()
        isOpen = false
        while inside > 0 { condition.wait() }
        condition.unlock()
    }

    func end() {
        condition.lock()
        hasEnded = true
        condition.broadcast()
        condition.unlock()
    }
}
