import Glibc
import PayloadKey
import Storage

/// The counter of a namespace's usage: `usage/namespaces/<namespace>`.
///
/// Its single line is `<epoch> <bytes> <key>`: the bytes of all keys except one, and that key, whose current size in
/// the tree is added. A process that adds or deletes a key first writes the line with that key, and then creates or
/// deletes its name. So the line is right at any moment, even if its writer dies between the two steps.
///
/// Locked exclusively (flock(2)) from reading the line until the tree is changed, inside the key's shard lock. No
/// process that holds it waits for a shard's lock.
struct UsageCounter {
    struct Line: Equatable {
        /// The epoch of the count; in another epoch the line is invalid, see ``DiskStore/epochName()``.
        let epoch: String
        /// The size of all keys except ``key``, in bytes.
        let bytes: UInt64
        /// The key that was changed last; `nil` if none was changed since the count.
        let key: PayloadKey?
    }

    private let file: Descriptor
    private let store: DiskStore

    /// Opens a namespace's counter; `nil` if it has none, so that its usage is not counted.
    ///
    /// - Parameter isMade: whether to create a missing counter. It is invalid until a line is written.
    init?(_ namespace: String, _ store: DiskStore, isMade: Bool = false) throws {
        let path = StoreLayout.usageCounter(namespace)
        // openat2(2) rejects a mode without O_CREAT.
        let (flags, mode): (Int32, mode_t) = isMade ? (O_RDWR | O_CREAT, 0o640) : (O_RDWR, 0)
        guard let file = try store.root.openIfThere(path, flags, mode: mode) else { return nil }
        self.file = file
        self.store = store
    }

    /// Runs `work` with the counter locked.
    func locked<Result>(_ work: () throws -> Result) throws -> Result {
        // A terminal must not stop a process that others wait for.
        file.kernel.holdOffStops(true)
        defer { file.kernel.holdOffStops(false) }
        try file.lock(LOCK_EX, patience: store.patience)
        defer { file.unlock() }
        return try work()
    }

    /// The counted bytes, read under the lock; `nil` if the counter has no valid line of this epoch.
    func used() throws -> UInt64? {
        guard let line = try line(), line.epoch == (try store.epochName()) else { return nil }
        guard let key = line.key else { return line.bytes }
        let (sum, overflow) = line.bytes.addingReportingOverflow(try store.size(of: key))
        return overflow ? nil : sum
    }

    /// The line; `nil` if nothing was counted yet.
    func line() throws -> Line? {
        let buffer = try file.head()
        // A previous, longer line may have left its end after this one.
        guard let end = buffer.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let parts = buffer[..<end].split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = UInt64(String(decoding: parts[1], as: UTF8.self)) else { return nil }
        let key = PayloadKey(parsing: parts[2])
        guard key != nil || parts[2].isEmpty else { return nil }
        return Line(epoch: String(decoding: parts[0], as: UTF8.self), bytes: bytes, key: key)
    }

    /// Writes the line. It is much shorter than a page, so a killed process has written either all of it or nothing. It
    /// is not synced, because a power loss ends the epoch anyway.
    func write(_ line: Line) throws {
        try write(Array("\(line.epoch) \(line.bytes) ".utf8) + (line.key?.utf8 ?? []) + [UInt8(ascii: "\n")])
    }

    /// Invalidates the counter and marks it with a count in progress.
    func begin(_ count: String) throws {
        try clear()
        try write(Array("\(count)\n".utf8))
    }

    /// Whether the mark of a count is still there, so that nobody has cleared the counter since.
    func isMarked(_ count: String) throws -> Bool { try file.head().starts(with: "\(count)\n".utf8) }

    private func write(_ bytes: [UInt8]) throws {
        var written = try file.write(bytes[...], at: 0)
        guard written < bytes.count else { return }
        // A part of the line, written over the previous one, would read as another number. Clearing the file first
        // leaves an invalid counter instead.
        try clear()
        written = 0
        while written < bytes.count { written += try file.write(bytes[written...], at: written) }
    }

    /// Invalidates the counter.
    func clear() throws { try file.truncate() }
}
