/// Runs `body` for each item, at most `limit` at once, and gives the results in the items' order.
///
/// - Throws: what the first `body` that failed throws; the others are cancelled, and have ended when this throws.
func sideBySide<Item: Sendable, Result: Sendable>(
    _ items: [Item],
    limit: Int,
    _ body: @escaping @Sendable (Item) async throws -> Result
) async throws -> [Result] {
    try await withThrowingTaskGroup(of: (Int, Result).self) { group in
        var results: [Result?] = Array(repeating: nil, count: items.count)
        for (index, item) in items.enumerated() {
            if index >= limit, let (done, result) = try await group.next() { results[done] = result }
            group.addTask { (index, try await body(item)) }
        }
        while let (done, result) = try await group.next() { results[done] = result }
        return results.compactMap(\.self)
    }
}
