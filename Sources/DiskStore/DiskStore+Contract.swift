import Storage

extension DiskStore: PayloadStorage, ContentSharing, UsageCounting, TrashKeeping, LayoutInspecting {
    /// The store's root, as the operator gave it.
    public var name: String { path }

    /// Each upload renews the recorded age at once.
    public var ageLag: Int { 0 }
    /// Deletions on a disk are serialized, by its head or by the file system's journal.
    public var deletionsAtOnce: Int { 1 }

    /// Checks that the file system has the features that the store needs, and warns about file systems that may lose
    /// data.
    public func checkStart(waiting: Bool) throws {
        try checkFileSystem()
        guard let name = remoteFileSystem else { return }
        logger.warning(
            "store is on a network or FUSE file system: acknowledged uploads may be lost",
            metadata: ["file_system": "\(name)", "store": "\(path)"]
        )
    }

    /// Records the time, deletes files left by crashed uploads, and logs stray files.
    public func tidyUp() throws {
        try recordTime()
        try reportStrayFiles()
        try removeLeftovers()
    }

    /// Deletes empty folders below `keys/`, and the counters of namespaces that have no folder.
    public func removeUnused(failed: (StoreError) throws -> Void) throws {
        try removeEmptyFolders(failed: failed)
        try goingOn(failed, removeUnusedCounters)
    }
}
