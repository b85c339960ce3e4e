import PayloadKey
import Storage

extension DiskStore: PayloadStorage {
    /// The store's root, as the operator gave it.
    public var name: String { path }

    /// An age is renewed with each upload.
    public var ageLag: Int { 0 }
    /// A disk has one head, or a journal.
    public var deletionsAtOnce: Int { 1 }

    /// As ``delete(_:isDurable:if:)``, with what was there.
    public func remove(
        _ key: PayloadKey,
        isDurable: Bool,
        if isUnwanted: (_ lastStored: Int) -> Bool
    ) throws -> StoredKey? {
        var stored: StoredKey?
        let isDeleted = try delete(key, isDurable: isDurable) { lastStored in
            let path = StoreLayout.key(key)
            // Whatever is wrong with its content, a key can be deleted.
            stored =
                (try? storedKey(key, path, lastStored: lastStored))
                ?? StoredKey(key, size: nil, diskUsage: 0, lastStored: lastStored, path: path)
            return isUnwanted(lastStored)
        }
        return isDeleted ? stored : nil
    }

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
}

extension DiskStore: ContentSharing {
    /// Visits contents, with 20,000 keys in memory at a time.
    public func forEachContent(
        in selection: KeySelection,
        includesTrash: Bool,
        _ visit: (StoredContent) throws -> Void
    ) throws {
        try forEachContent(in: selection, includesTrash: includesTrash, keysInMemory: 20_000, visit)
    }

    /// Removes folders below `keys/` that hold nothing, and the counters of namespaces that have no folder.
    public func removeUnused(failed: (StoreError) throws -> Void) throws {
        try removeEmptyFolders(failed: failed)
        do {
            try removeUnusedCounters()
        } catch let error as StoreError {
            try failed(error)
        }
    }
}

extension Collector {
    /// Sweeps with as many digests in memory as a command may hold.
    public func sweep(
        only digests: Set<Digest>?,
        isDryRun: Bool,
        maximumShare: Int,
        isDoomed: (SweepCandidate) throws -> Bool,
        failed: (StoreError) throws -> Void
    ) throws -> Swept {
        try sweep(
            only: digests,
            isDryRun: isDryRun,
            maximumShare: maximumShare,
            digestsInMemory: Self.digestsInMemory,
            isDoomed: isDoomed,
            failed: failed
        )
    }
}

extension DiskStore: UsageCounting, TrashKeeping, LayoutInspecting {}
