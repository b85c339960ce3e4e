/// Runs `body`, and cancels it at the time limit, or if the task is cancelled, without waiting for it to end.
///
/// A task group would wait, so that a body that ignores its cancellation would have no time limit.
///
/// - Throws: ``TimedOut`` at the time limit, `CancellationError`, or the error of `body`.
func withTimeLimit<Value: Sendable>(
    _ limit: Duration,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let (results, first) = AsyncStream.makeStream(
        of: Result<Value, any Error>.self,
        bufferingPolicy: .bufferingOldest(1)
    )
    let work = Task {
        do {
            first.yield(.success(try await body()))
        } catch {
            first.yield(.failure(error))
        }
    }
    let timer = Task {
        try await Task.sleep(for: limit)
        first.yield(.failure(TimedOut(limit: limit)))
    }
    defer {
        work.cancel()
        timer.cancel()
    }
    for await result in results { return try result.get() }
    // The stream ends only if the task is cancelled.
    throw CancellationError()
}

/// One attempt exceeded its time limit.
struct TimedOut: Error, CustomStringConvertible {
    let limit: Duration

    var description: String { "no complete answer within \(limit)" }
}
