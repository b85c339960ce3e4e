import Glibc
import PayloadKey
import Storage

extension DiskStore {
    /// Runs `work` while no content of a shard is deleted: commits hold the shard's lock shared, deletions hold it
    /// exclusively (flock(2)). The kernel releases the lock when the process dies.
    ///
    /// - Throws: ``StoreError`` with code `busy` if another process holds the lock for longer than ``patience``, or
    ///   what `work` throws.
    func withSharedLock<Value>(of digest: Digest, _ work: () throws -> Value) throws -> Value {
        try withLock(LOCK_SH, of: digest.firstByte, work)
    }

    /// Runs `work` while no commit to the shard is in progress. A terminal can't stop the process meanwhile.
    func withExclusiveLock<Value>(of shard: UInt8, _ work: () throws -> Value) throws -> Value {
        root.kernel.holdOffStops(true)
        defer { root.kernel.holdOffStops(false) }
        return try withLock(LOCK_EX, of: shard, work)
    }

    private func withLock<Value>(_ kind: Int32, of shard: UInt8, _ work: () throws -> Value) throws -> Value {
        let file = try root.open(StoreLayout.lock(shard), O_RDWR | O_CREAT, mode: 0o640)
        defer { withExtendedLifetime(file) {} }
        try file.lock(kind, patience: patience)
        return try work()
    }
}
