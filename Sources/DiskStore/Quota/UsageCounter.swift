import Glibc
import PayloadKey
import Storage

/// How many bytes a namespace's keys have in all: `usage/namespaces/<namespace>`.
///
/// Its one line is `<epoch> <bytes> <key>`: the bytes of all keys but one, and that one, whose size is added as it lies in
/// the tree. Whoever adds or removes a key writes the line first, with that key in it, and then makes or
/// takes the key's name: so the line is right at any moment, also when its writer dies between the two.
///
/// Locked exclusively (flock(2)) from the look at the line to the change of the tree, inside the key's shard lock.
/// Nothing waits for a shard's lock meanwhile.
struct UsageCounter {
    struct Line: Equatable {
        /// In which epoch it was counted; in another one it means nothing, see ``DiskStore/epochName()``.
        let epoch: String
        /// Bytes of all keys but ``key``.
        let bytes: UInt64
        /// The key that was changed last; `nil` when none was since the count.
        let key: PayloadKey?
    }

    private let file: Descriptor
    private let store: DiskStore

    /// Opens a namespace's counter; `nil` when it has none, and nothing is to be counted.
    ///
    /// - Parameter isMade: make it where there is none. It counts nothing until a line is written.
    init?(_ namespace: String, _ store: DiskStore, isMade: Bool = false) throws {
        let path = StoreLayout.usageCounter(namespace)
        // openat2(2) takes no mode for a file that it does not make.
        let (flags, mode): (Int32, mode_t) = isMade ? (O_RDWR | O_CREAT, 0o640) : (O_RDWR, 0)
        guard let file = try store.root.openIfThere(path, flags, mode: mode) else { return nil }
        self.file = file
        self.store = store
    }

    /// Runs `work` with the counter locked.
    func locked<Result>(_ work: () throws -> Result) throws -> Result {
        // A terminal must not stop whoever others wait for.
        file.kernel.holdOffStops(true)
        defer { file.kernel.holdOffStops(false) }
        try file.lock(LOCK_EX, patience: store.patience)
        defer { file.unlock() }
        return try work()
    }

    /// What it says, when it is locked; `nil` when it says nothing of this epoch.
    func used() throws -> UInt64? {
        guard let line = try line(), line.epoch == (try store.epochName()) else { return nil }
        guard let key = line.key else { return line.bytes }
        let (sum, overflow) = line.bytes.addingReportingOverflow(try store.size(of: key))
        return overflow ? nil : sum
    }

    /// The line; `nil` when nothing was counted yet.
    func line() throws -> Line? {
        let buffer = try file.head()
        // A longer line of before may have left its end behind this one's.
        guard let end = buffer.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let parts = buffer[..<end].split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = UInt64(String(decoding: parts[1], as: UTF8.self)) else { return nil }
        let key = PayloadKey(parsing: parts[2])
        guard key != nil || parts[2].isEmpty else { return nil }
        return Line(epoch: String(decoding: parts[0], as: UTF8.self), bytes: bytes, key: key)
    }

    /// Writes the line. It is far shorter than a page, so a process that is killed has written all of it or nothing. No
    /// sync: what a loss of power leaves is of an epoch that is over.
    func write(_ line: Line) throws {
        try write(Array("\(line.epoch) \(line.bytes) ".utf8) + (line.key?.utf8 ?? []) + [UInt8(ascii: "\n")])
    }

    /// Marks the counter as being counted: it counts nothing until a line is written.
    func begin(_ count: String) throws {
        try clear()
        try write(Array("\(count)\n".utf8))
    }

    /// Whether the mark of a count is still there: nobody has cleared the counter since.
    func isMarked(_ count: String) throws -> Bool { try file.head().starts(with: "\(count)\n".utf8) }

    private func write(_ bytes: [UInt8]) throws {
        var written = try file.write(bytes[...], at: 0)
        guard written < bytes.count else { return }
        // A part of it, over the line of before, would read as another number. Without that line, it counts nothing.
        try clear()
        written = 0
        while written < bytes.count { written += try file.write(bytes[written...], at: written) }
    }

    /// Counts nothing any more.
    func clear() throws { try file.truncate() }
}
