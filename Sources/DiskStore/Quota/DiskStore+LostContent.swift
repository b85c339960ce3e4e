import Glibc
import PayloadKey

/// A key counts with the size of its content. So when content that keys may name goes to quarantine, or comes back, what
/// their namespaces use changes, and which namespaces these are, only a walk through all keys could tell. It is rare, and
/// so every namespace is counted again then, when it is next asked for.
extension DiskStore {
    /// Marks a content as lost, before it is moved to quarantine; under its shard's exclusive lock. A count that begins now
    /// waits for that lock.
    func loseContent(_ digest: Digest) throws {
        try makeUsageFolders()
        let mark = StoreLayout.lostContent(digest)
        // On disk before the content goes: it must be there when the content comes back.
        try root.open(mark, O_RDONLY | O_CREAT, mode: 0o640).synchronize()
        for folder in StoreLayout.usageFolders { try root.synchronizeFolder(folder) }
        try root.synchronize()
        try invalidateCounters()
    }

    /// Prepares the counters for a content that comes back, under its shard's lock.
    ///
    /// - Returns: whether it was lost.
    func beginRevival(of digest: Digest) throws -> Bool {
        guard try root.status(of: StoreLayout.lostContent(digest)) != nil else { return false }
        try invalidateCounters()
        return true
    }

    /// Forgets that a content was lost, when it is on disk again.
    func finishRevival(of digest: Digest) throws {
        try root.unlink(StoreLayout.lostContent(digest))
        logger.notice("lost content is there again", metadata: ["digest": "\(digest)"])
    }

    /// Has every namespace counted again before its counter is used. A count that is under way begins again.
    func invalidateCounters() throws {
        for name in try root.namesIfThere(StoreLayout.usageCounters) {
            if let counter = try UsageCounter(name, self) { try counter.locked(counter.clear) }
        }
    }
}
