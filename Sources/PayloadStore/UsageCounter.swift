import Glibc
import PayloadKey
import SystemPackage

/// How many bytes a namespace's keys have in all: `usage/namespaces/<namespace>`.
///
/// Its one line is `<epoch> <bytes> <path>`: the bytes of all keys but one, and the path of that one, whose size is added
/// as it lies in the tree. Whoever adds or removes a key writes the line first, with that key in it, and then makes or
/// takes the key's name: so the line is right at any moment, also when its writer dies between the two.
///
/// Locked exclusively (flock(2)) from the look at the line to the change of the tree, inside the key's shard lock.
/// Nothing waits for a shard's lock meanwhile.
struct UsageCounter {
    struct Line: Equatable {
        /// In which epoch it was counted; in another one it means nothing, see ``UsageEpoch``.
        let epoch: String
        /// Bytes of all keys but the one at ``path``.
        let bytes: UInt64
        /// The key that was changed last, relative to the store's root; `nil` when none was since the count.
        let path: String?
    }

    private let file: Descriptor
    private let path: String

    /// Opens a namespace's counter; `nil` when it has none, and nothing is to be counted.
    init?(_ namespace: String, _ root: Descriptor) throws(StoreError) {
        path = StoreLayout.usageCounter(namespace)
        do {
            file = try root.open(path, O_RDWR)
        } catch let error where error.errno == .noSuchFileOrDirectory {
            return nil
        }
    }

    /// Makes a counter, which counts nothing until a line is written.
    init(making namespace: String, _ root: Descriptor) throws(StoreError) {
        path = StoreLayout.usageCounter(namespace)
        file = try root.open(path, O_RDWR | O_CREAT, mode: 0o640)
    }

    /// Runs `work` with the counter locked.
    func locked<Result>(_ work: () throws(StoreError) -> Result) throws(StoreError) -> Result {
        try systemCall("lock \(path)") { flock(file.rawValue, LOCK_EX) }
        // It can't fail for an open file, and goes with it at the latest.
        defer { flock(file.rawValue, LOCK_UN) }
        return try work()
    }

    /// The line; `nil` when nothing was counted yet.
    func line() throws(StoreError) -> Line? {
        let buffer = try file.head(path)
        // A longer line of before may have left its end behind this one's.
        guard let end = buffer.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let parts = String(decoding: buffer[..<end], as: UTF8.self)
            .split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, let bytes = UInt64(parts[1]) else { return nil }
        return Line(epoch: parts[0], bytes: bytes, path: parts[2].isEmpty ? nil : parts[2])
    }

    /// Writes the line. It is far shorter than a page, so a process that is killed has written all of it or nothing. No
    /// sync: what a loss of power leaves is of an epoch that is over.
    func write(_ line: Line) throws(StoreError) {
        let bytes = Array("\(line.epoch) \(line.bytes) \(line.path ?? "")\n".utf8)
        var written = try write(bytes[...], at: 0)
        guard written < bytes.count else { return }
        // A part of it, over the line of before, would read as another number. Without that line, it counts nothing.
        try clear()
        written = 0
        while written < bytes.count { written += try write(bytes[written...], at: written) }
    }

    private func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(StoreError) -> Int {
        try countingSystemCall("write \(path)") {
            bytes.withUnsafeBytes { pwrite(file.rawValue, $0.baseAddress, $0.count, off_t(offset)) }
        }
    }

    /// Counts nothing any more.
    func clear() throws(StoreError) {
        try systemCall("truncate \(path)") { ftruncate(file.rawValue, 0) }
    }
}
