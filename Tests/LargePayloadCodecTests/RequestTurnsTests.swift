import Synchronization
import TestSupport
import Testing

@testable import LargePayloadCodec

@Suite(.runLimit) struct RequestTurnsTests {
    /// Waits for a turn, and records it.
    private func task(_ number: Int, _ turns: RequestTurns, _ order: OrderedList) -> Task<Void, any Error> {
        // An immediate task runs until it waits, so the tasks wait in the order of their creation.
        Task.immediate {
            try await turns.begin()
            order.append(number)
            turns.end()
        }
    }

    @Test func `Tasks get their turns in the order in which they asked`() async throws {
        let turns = RequestTurns(limit: 1)
        try await turns.begin()
        let order = OrderedList()
        let tasks = (0..<100).map { task($0, turns, order) }
        turns.end()
        for task in tasks { try await task.value }
        #expect(order.numbers == Array(0..<100))
    }

    @Test func `A task that is cancelled while it waits ends at once and takes no turn`() async throws {
        let turns = RequestTurns(limit: 1)
        try await turns.begin()
        let order = OrderedList()
        let tasks = (0..<3).map { task($0, turns, order) }
        tasks[1].cancel()
        await #expect(throws: CancellationError.self) { try await tasks[1].value }
        #expect(order.numbers.isEmpty)
        turns.end()
        try await tasks[0].value
        try await tasks[2].value
        #expect(order.numbers == [0, 2])
        // The turn is free again.
        try await turns.begin()
    }

    @Test func `A cancelled task gets no turn, even if one is free`() async throws {
        let turns = RequestTurns(limit: 1)
        let cancelled = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await turns.begin()
        }
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        try await turns.begin()
    }
}

private final class OrderedList: Sendable {
    private let list = Mutex<[Int]>([])

    var numbers: [Int] { list.withLock { $0 } }

    func append(_ number: Int) { list.withLock { $0.append(number) } }
}
