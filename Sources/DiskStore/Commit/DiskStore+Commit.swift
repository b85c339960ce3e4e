import Glibc
import PayloadKey
import Storage
import System

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
    func placeKey(_ key: PayloadKey, in folder: FolderCache.Folder, size: UInt64) throws(StoreError) -> Bool {
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

    // MARK: Content

    /// The object that an upload finds, when it has the same content; `nil` when there is none. One that differs has been
    /// replaced by the upload: sizes and names prove nothing.
    private func verifiedObject(replacedBy upload: VerifiedUpload) throws(StoreError) -> FileContent? {
        let path = StoreLayout.object(upload.digest)
        for _ in 0..<Self.mostRetries {
            guard let status = try root.status(of: path) else { return nil }
            let object = try openObject(path, status)
            guard let reason = try difference(between: object, status, and: upload) else { return object }
            try checkAgain(upload)
            // Open until then, so that its identity is not given to another file.
            try withExtendedLifetime(object) { () throws(StoreError) in
                try replace(path, status.identity, with: upload, reason)
            }
        }
        throw StoreError(.damaged, "\(path) is damaged again and again")
    }

    /// Makes sure that of the two, it is not the upload that has changed since it was verified.
    private func checkAgain(_ upload: VerifiedUpload) throws(StoreError) {
        let content = FileContent(size: upload.size, name: "upload", descriptor: upload.descriptor)
        let actual: Digest
        do {
            actual = try content.digest()
        } catch {
            throw error as? StoreError ?? StoreError(.system, "read upload: \(error)")
        }
        guard actual == upload.digest else {
            throw StoreError(.damaged, "upload has changed since it was verified: its content has digest \(actual)")
        }
    }

    /// - Returns: `nil` when it can't be opened, or is no regular file.
    private func openObject(_ path: String, _ status: FileStatus) throws(StoreError) -> FileContent? {
        // A link could not even be opened.
        guard status.isRegular else { return nil }
        do throws(StoreError) {
            return try FileContent(path, below: root)
        } catch {
            guard error.code == .damaged || error.code == .unreadable else { throw error }
            return nil
        }
    }

    /// What is wrong with an object; `nil` when it has the upload's content.
    private func difference(
        between object: FileContent?,
        _ status: FileStatus,
        and upload: VerifiedUpload
    ) throws(StoreError) -> String? {
        guard let object else { return "it can't be read as a file" }
        guard object.size == upload.size else { return "it has \(object.size) bytes, not \(upload.size)" }
        let mine = UnsafeMutableRawBufferPointer.allocate(byteCount: FileContent.pieceSize, alignment: 16)
        let theirs = UnsafeMutableRawBufferPointer.allocate(byteCount: FileContent.pieceSize, alignment: 16)
        defer {
            mine.deallocate()
            theirs.deallocate()
        }
        var offset: UInt64 = 0
        while offset < upload.size {
            let wanted = Int(min(UInt64(mine.count), upload.size - offset))
            let count = try upload.descriptor.read(
                into: UnsafeMutableRawBufferPointer(rebasing: mine[..<wanted]),
                at: offset,
                "upload"
            )
            guard count > 0 else { throw StoreError(.damaged, "read upload: file ends at byte \(offset)") }
            var read = 0
            while read < count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: theirs[read..<count])
                let more: Int
                do throws(StoreError) {
                    more = try object.descriptor.read(into: rest, at: offset + UInt64(read), object.name)
                } catch {
                    guard error.isUnreadable else { throw error }
                    return "\(error)"
                }
                if more == 0 { return "it ends at byte \(offset + UInt64(read))" }
                read += more
            }
            guard let one = mine.baseAddress, let other = theirs.baseAddress, memcmp(one, other, count) == 0 else {
                return "it differs within \(count) bytes from byte \(offset) on"
            }
            offset += UInt64(count)
        }
        return nil
    }

    /// Puts the upload in the place of a damaged object, which goes to quarantine. Readers find the one or the other.
    private func replace(
        _ path: String,
        _ damaged: FileStatus.Identity,
        with upload: VerifiedUpload,
        _ reason: String
    ) throws(StoreError) {
        try makeDurable(upload)
        let target = StoreLayout.quarantined(upload.digest, IncomingFile.uniqueName(root.kernel))
        let isReplaced = try withExclusiveLock(of: upload.digest.firstByte) { () throws(StoreError) in
            guard let present = try root.status(of: path), present.identity == damaged else { return false }
            try loseContent(upload.digest)
            try keepDamaged(path, present, as: target)
            let temporary = IncomingFile.uniqueName(root.kernel)
            guard try incoming.link(upload.descriptor, to: temporary) else { return false }
            do throws(StoreError) {
                try incoming.rename(temporary, to: path, in: root)
            } catch {
                // What can't be removed now is removed as a leftover.
                _ = try? incoming.unlink(temporary)
                throw error
            }
            try root.synchronizeFolder(StoreLayout.objectFolder(upload.digest.firstByte))
            try finishRevival(of: upload.digest)
            return true
        }
        guard isReplaced else { return }
        logger.error(
            "damaged content is replaced by a verified upload",
            metadata: ["file": "\(path)", "found": "\(reason)", "moved_to": "\(target)"]
        )
    }

    /// Gives a damaged object a name in quarantine, on disk. What is no file is moved there.
    private func keepDamaged(_ path: String, _ status: FileStatus, as target: String) throws(StoreError) {
        let file = try openObject(path, status)
        if let file {
            _ = try root.link(file.descriptor, to: target)
        } else {
            try root.rename(path, to: target)
        }
        try root.synchronizeFolder(StoreLayout.quarantine)
    }

    /// Puts the content on disk, before any name of the tree leads to it. The mode goes first: a file whose sync may have
    /// failed is known by it (``Upload/isTriedBefore``).
    private func makeDurable(_ upload: VerifiedUpload) throws(StoreError) {
        try upload.descriptor.changeMode(to: 0o440, "upload")
        try upload.descriptor.synchronizeData("upload")
    }
}
