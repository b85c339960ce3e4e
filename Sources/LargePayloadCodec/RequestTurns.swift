import Synchronization

/// Limits the requests that a codec sends concurrently. Tasks get their turns in the order in which they ask.
final class RequestTurns: Sendable {
    private struct Waiter {
        let id: UInt64
        /// Resumed with `true` at the task's turn, or with `false` if the task was cancelled.
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var free: Int
        /// Not empty only if `free` is 0.
        var waiters: [Waiter] = []
        var nextID: UInt64 = 0
    }

    private let state: Mutex<State>

    /// - Parameter limit: The maximum number of concurrent requests, at least 1.
    init(limit: Int) {
        state = Mutex(State(free: limit))
    }

    /// Waits for a turn. Call ``end()`` after it.
    ///
    /// - Throws: `CancellationError`, as soon as the task is cancelled.
    func begin() async throws(CancellationError) {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let isGiven = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isGiven: Bool? = state.withLock { state in
                    // A task that is cancelled from here on is found among the waiters.
                    if Task.isCancelled { return false }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.waiters.append(Waiter(id: id, continuation: continuation))
                    return nil
                }
                if let isGiven { continuation.resume(returning: isGiven) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume(returning: false)
        }
        guard isGiven else { throw CancellationError() }
    }

    /// Ends a turn. The task that has waited longest gets it.
    func end() {
        let next: Waiter? = state.withLock { state in
            if state.waiters.isEmpty {
                state.free += 1
                return nil
            }
            return state.waiters.removeFirst()
        }
        next?.continuation.resume(returning: true)
    }
}
