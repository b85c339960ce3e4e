import Storage

extension DiskStore: PayloadStorage, ContentSharing, UsageCounting, TrashKeeping, LayoutInspecting {
    /// The store's root, as the operator gave it.
    public var name: String { path }

    /// An age is renewed with each upload.
    public var ageLag: Int { 0 }
    /// A disk has one head, or a journal.
    public var deletionsAtOnce: Int { 1 }

    /// Makes sure that the file system can do what payloads need, and warns where it may not keep what it promises.
    public func checkStart(waiting: Bool) throws {
        try checkFileSystem()
        guard let name = remoteFileSystem else { return }
        logger.warning(
            "the store is on a network file system, or another program's: what is answered may be lost",
            metadata: ["file_system": "\(name)", "store": "\(path)"]
        )
    }

    /// Records the time, removes what crashed uploads have left, and logs what does not belong in the store.
    public func tidyUp() throws {
        try recordTime()
        try reportStrayFiles()
        try removeLeftovers()
    }

    /// Removes folders below `keys/` that hold nothing, and the counters of namespaces that have no folder.
    public func removeUnused(failed: (StoreError) throws -> Void) throws {
        try removeEmptyFolders(failed: failed)
        try goingOn(failed, removeUnusedCounters)
    }
}
