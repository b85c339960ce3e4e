import Glibc
import PayloadKey
import Storage

extension DiskStore {
    /// Makes a verified upload readable under its key. When this returns, content, object and key are on disk.
    ///
    /// A crash at any point leaves nothing, unreferenced content, or the whole payload: each step is on disk before the next
    /// one.
    ///
    /// - Throws: ``StoreError``: with code `busy` when the shard is locked for too long; with code `quotaExceeded` or
    ///   `counting` when the namespace has a quota and no room, or is being counted. What is left then is unreferenced
    ///   content at most.
    public func commit(_ upload: VerifiedUpload, as key: PayloadKey) throws(StoreError) -> CommitOutcome {
        try waitingBriefly { () throws(StoreError) in try commitOnce(upload, as: key) }
    }

    /// As ``commit(_:as:)``, but waits while the namespace is counted, for however long: for an operator's commands.
    public func commitWaitingForCounts(
        _ upload: VerifiedUpload,
        as key: PayloadKey
    ) throws(StoreError) -> CommitOutcome {
        try waitingForCounts(of: key.namespace) { () throws(StoreError) in try commitOnce(upload, as: key) }
    }

    private func commitOnce(_ upload: VerifiedUpload, as key: PayloadKey) throws(StoreError) -> CommitOutcome {
        precondition(upload.digest == key.digest, "an upload is committed under its own digest")
        try checkQuotaOnce(for: upload.size, as: key, isVerified: true)
        for _ in 0..<Self.mostRetries {
            // The long work first: nobody has to wait for it.
            let present = try verifiedObject(replacedBy: upload)
            if present == nil { try makeDurable(upload) }
            do throws(StoreError) {
                let outcome = try withSharedLock(of: key.digest) { () throws(StoreError) in
                    try place(upload, as: key, on: present)
                }
                if let outcome { return outcome }
                // The object came, went or changed since it was compared.
            } catch let error where error.errno == .noSuchFileOrDirectory {
                guard try upload.descriptor.status("upload").links > 0 else {
                    throw StoreError(.uploadGone, error.action, errno: error.errno)
                }
                // A folder was deleted since it was opened, as empty ones are.
            }
        }
        throw StoreError(.system, "store \(key): its content or its folder changes again and again")
    }

    /// How often one upload may have its object or a folder taken away by others at that moment.
    private static let mostRetries = 32

    /// Under the shard's lock.
    ///
    /// - Parameter present: the object that has the upload's content; `nil` when there was none.
    /// - Returns: `nil` when that is not so any more.
    private func place(
        _ upload: VerifiedUpload,
        as key: PayloadKey,
        on present: FileContent?
    ) throws(StoreError) -> CommitOutcome? {
        let objects = try folders.folder(StoreLayout.objectFolder(key.digest.firstByte))
        var isRevival = false
        if let present {
            guard try objects.descriptor.status(of: key.digest.hex)?.identity == present.identity() else { return nil }
        } else {
            isRevival = try beginRevival(of: key.digest)
            guard try objects.descriptor.link(upload.descriptor, to: key.digest.hex) else { return nil }
        }
        // Another process may have linked it a moment ago, and not synced it yet.
        try objects.synchronize()
        if isRevival {
            try finishRevival(of: key.digest)
            logger.notice("lost content is there again", metadata: ["digest": "\(key.digest)"])
        }
        try noteInBarrier(key.digest)
        // Opened last: as long as it is empty, it may be removed as such.
        let keys = try folders.folder(StoreLayout.keyFolder(key))
        let isNew = try placeKey(key, in: keys, size: upload.size)
        try keys.synchronize()
        return isNew ? present == nil ? .created : .linked : .existed
    }

    /// Creates the key, or renews its age.
    ///
    /// - Returns: whether it was created.
    private func placeKey(_ key: PayloadKey, in folder: FolderCache.Folder, size: UInt64) throws(StoreError) -> Bool {
        let name = StoreLayout.keyName(key)
        let path = StoreLayout.key(key)
        let stamp = try clock.stamp()
        if let present = try folder.descriptor.openIfThere(name, O_RDONLY | O_NONBLOCK) {
            guard try present.status(path).isRegular else {
                throw StoreError(.damaged, "\(path) is not a regular file")
            }
            try present.setModified(stamp, path)
            try present.synchronize(path)
            return false
        }
        var isNew = true
        let file = try changing(key, adding: size, limit: quota(key.namespace)) { () throws(StoreError) in
            do throws(StoreError) {
                return try folder.descriptor.open(name, O_RDONLY | O_CREAT | O_EXCL, mode: 0o440)
            } catch let error where error.errno == .fileExists {
                // Another upload has just created it, and given it its age.
                isNew = false
                return try folder.descriptor.open(name, O_RDONLY | O_NONBLOCK)
            }
        }
        if let stamp { try file.setModified(stamp, path) }
        try file.synchronize(path)
        return isNew
    }

    /// Puts the content on disk, before any name of the tree leads to it. The mode goes first: a file whose sync may have
    /// failed is known by it (``Upload/isTriedBefore``).
    func makeDurable(_ upload: VerifiedUpload) throws(StoreError) {
        try upload.descriptor.changeMode(to: 0o440, "upload")
        try upload.descriptor.synchronizeData("upload")
    }
}
