import Synchronization

/// Runs `work` for each item, on several threads.
///
/// - Throws: the first failure, once all threads have ended. After a failure, no further items are started.
package func sideBySide<Item: Sendable>(
    _ items: [Item],
    threads: Int,
    _ work: @escaping @Sendable (Item) throws -> Void
) throws {
    if threads == 1 || items.count == 1 { return try items.forEach(work) }
    let state = Mutex((rest: items[...], failure: (any Error)?.none))
    var running: [WorkerThread] = []
    do {
        for _ in 0..<min(threads, items.count) {
            running.append(
                try WorkerThread {
                    while let item = state.withLock({ $0.failure == nil ? $0.rest.popFirst() : nil }) {
                        do {
                            try work(item)
                        } catch {
                            state.withLock { $0.failure = $0.failure ?? error }
                        }
                    }
                }
            )
        }
    } catch {
        state.withLock { $0.failure = $0.failure ?? error }
    }
    running.forEach { $0.join() }
    if let failure = state.withLock({ $0.failure }) { throw failure }
}
