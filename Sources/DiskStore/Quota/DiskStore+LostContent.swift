import Glibc
import PayloadKey

/// A key counts with the size of its content. So quarantining content, or restoring it, changes the usage of every
/// namespace whose keys name it, and only a walk through all keys would find these namespaces. This is rare, so every
/// namespace is then counted again when its usage is next needed.
extension DiskStore {
    /// Marks a content as lost before it is quarantined, under its shard's exclusive lock. A count that starts now
    /// waits for that lock.
    func loseContent(_ digest: Digest) throws {
        try makeUsageFolders()
        let mark = StoreLayout.lostContent(digest)
        // The mark must be on disk before the content is moved, so that it exists when the content returns.
        try root.open(mark, O_RDONLY | O_CREAT, mode: 0o640).synchronize()
        for folder in StoreLayout.usageFolders { try root.synchronizeFolder(folder) }
        try root.synchronize()
        try invalidateCounters()
    }

    /// Prepares the counters for content that returns, under its shard's lock.
    ///
    /// - Returns: whether the content was marked as lost.
    func beginRevival(of digest: Digest) throws -> Bool {
        guard try root.status(of: StoreLayout.lostContent(digest)) != nil else { return false }
        try invalidateCounters()
        return true
    }

    /// Deletes the mark of lost content, once the content is on disk again.
    func finishRevival(of digest: Digest) throws {
        try root.unlink(StoreLayout.lostContent(digest))
        logger.notice("lost content restored", metadata: ["digest": "\(digest)"])
    }

    /// Invalidates all counters, so that each namespace is counted again before its counter is used. A count in
    /// progress starts over.
    func invalidateCounters() throws {
        for name in try root.namesIfThere(StoreLayout.usageCounters) {
            if let counter = try UsageCounter(name, self) { try counter.locked(counter.clear) }
        }
    }
}
