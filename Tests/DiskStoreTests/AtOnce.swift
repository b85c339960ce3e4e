import TestSupport

/// Work that runs at once, each piece on a thread of its own: it blocks, and Swift's own pool has few threads.
struct AtOnce {
    fileprivate var work: [@Sendable () throws -> Void] = []

    mutating func addTask(_ work: @escaping @Sendable () throws -> Void) { self.work.append(work) }
}

/// Runs what `body` adds, and throws the first of its errors.
func atOnce(_ body: (inout AtOnce) throws -> Void) throws {
    var group = AtOnce()
    try body(&group)
    let work = group.work
    try concurrently(work.count) { try work[$0]() }
}
