import Glibc
import PayloadKey

extension PayloadStore {
    /// Runs `work` while the shard of `digest` is held against deletion: commits hold it shared, garbage collection
    /// exclusively (flock(2)). The kernel drops the lock when the process dies.
    ///
    /// Each lock is an open file of its own, since flock(2) belongs to the open file: two threads that shared one would
    /// release it for each other.
    func withSharedLock<Result>(
        of digest: Digest,
        _ work: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        try withLock(LOCK_SH, of: digest.shard, work)
    }

    /// Runs `work` while no commit to a shard is under way.
    func withExclusiveLock<Result>(
        of shard: String,
        _ work: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        try withLock(LOCK_EX, of: shard, work)
    }

    private func withLock<Result>(
        _ kind: Int32,
        of shard: String,
        _ work: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        let path = StoreLayout.lock(shard)
        let file = try root.open(path, O_RDWR | O_CREAT, mode: 0o640)
        defer { withExtendedLifetime(file) {} }
        try systemCall("lock \(path)") { flock(file.rawValue, kind) }
        return try work()
    }
}
