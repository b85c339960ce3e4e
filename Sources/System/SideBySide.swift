import Synchronization

/// Does `work` with each of some items, on several threads.
///
/// - Throws: the first failure, once all threads have ended; what was not begun by then is left.
package func sideBySide<Item: Sendable>(
    _ items: [Item],
    threads: Int,
    _ work: @escaping @Sendable (Item) throws -> Void
) throws {
    if threads == 1 || items.count == 1 { return try items.forEach(work) }
    let queue = ItemQueue(items)
    var running: [WorkerThread] = []
    do {
        for _ in 0..<min(threads, items.count) {
            running.append(
                try WorkerThread {
                    while let item = queue.next() {
                        do {
                            try work(item)
                        } catch {
                            queue.fail(error)
                        }
                    }
                }
            )
        }
    } catch {
        queue.fail(error)
    }
    running.forEach { $0.join() }
    if let failure = queue.failure { throw failure }
}

private final class ItemQueue<Item: Sendable>: Sendable {
    private let state: Mutex<(rest: ArraySlice<Item>, failure: (any Error)?)>

    init(_ items: [Item]) { state = Mutex((items[...], nil)) }

    var failure: (any Error)? { state.withLock { $0.failure } }

    func next() -> Item? { state.withLock { $0.failure == nil ? $0.rest.popFirst() : nil } }

    func fail(_ error: any Error) { state.withLock { $0.failure = $0.failure ?? error } }
}
