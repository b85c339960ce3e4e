/// Runs `body` for all items concurrently, and returns the results in the order of the items.
///
/// - Throws: The error of the first `body` that fails. The others are cancelled and have finished before this throws.
func sideBySide<Item: Sendable, Result: Sendable>(
    _ items: [Item],
    _ body: @escaping @Sendable (Item) async throws -> Result
) async throws -> [Result] {
    try await withThrowingTaskGroup(of: (Int, Result).self) { group in
        var results: [Result?] = Array(repeating: nil, count: items.count)
        for (index, item) in items.enumerated() {
            group.addTask { (index, try await body(item)) }
        }
        while let (done, result) = try await group.next() { results[done] = result }
        return results.compactMap(\.self)
    }
}
