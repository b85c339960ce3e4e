import Glibc
import PayloadKey
import Storage
import System

extension DiskStore {
    /// Commits a verified upload: makes it readable under its key. When this returns, content, object and key are on
    /// disk.
    ///
    /// A crash at any point leaves nothing, unreferenced content, or the whole payload, because each step is on disk
    /// before the next one starts.
    ///
    /// Ignores `deadline` and `onPiece`: syncs and links can't be interrupted.
    ///
    /// - Throws: ``StoreError``: with code `busy` if the shard is locked for too long; with code `quotaExceeded` or
    ///   `counting` if the namespace has a quota and no room, or is being counted. A failure leaves at most
    ///   unreferenced content.
    public func commit(
        _ upload: VerifiedUpload,
        as key: PayloadKey,
        until deadline: ContinuousClock.Instant?,
        onPiece: () throws -> Void
    ) throws -> CommitOutcome {
        precondition(upload.digest == key.digest, "an upload is committed under its own digest")
        var isContentNew = false
        let isKeyNew = try afterCounts(of: key.namespace, isPatient: waitsForCounts) {
            try place(upload, as: key, &isContentNew)
        }
        return !isKeyNew ? .existed : isContentNew ? .created : .linked
    }

    /// How often to retry an upload after other processes deleted or replaced its object or a folder.
    private static let mostRetries = 32

    /// - Parameter isContentNew: set to true if this upload became the object.
    /// - Returns: whether the key was created.
    private func place(_ upload: VerifiedUpload, as key: PayloadKey, _ isContentNew: inout Bool) throws -> Bool {
        for _ in 0..<Self.mostRetries {
            // The long work comes first, outside the lock, so that nobody waits for it.
            let present = try soundObject(for: upload)
            if present == nil { try makeDurable(upload) }
            do {
                let isKeyNew = try withSharedLock(of: key.digest) {
                    guard let isRevival = try link(upload, unlessThereIs: present) else { return Bool?.none }
                    if present == nil { isContentNew = true }
                    try noteInBarrier(key.digest)
                    return try link(key, size: upload.size, isProbablyNew: present == nil && !isRevival)
                }
                // Otherwise the object appeared, disappeared or changed after it was verified.
                if let isKeyNew { return isKeyNew }
            } catch let error as StoreError where error.errno == .noSuchFileOrDirectory {
                // Another process deleted the empty folder after it was opened, or the web server deleted the upload.
                guard try upload.descriptor.status().links > 0 else {
                    throw StoreError(.uploadGone, error.action, errno: error.errno)
                }
            }
        }
        throw StoreError(.system, "store \(key): its content or its folder keeps changing")
    }

    /// Links the content to its name, under the shard's lock.
    ///
    /// - Parameter present: the object that already has the upload's content; `nil` if there was none.
    /// - Returns: whether the content was lost before; `nil`, without a link, if `present` is no longer true.
    private func link(_ upload: VerifiedUpload, unlessThereIs present: FileContent?) throws -> Bool? {
        let digest = upload.digest
        let objects = try folders.folder(StoreLayout.objectFolder(digest.firstByte))
        var isRevival = false
        if let present {
            guard try objects.status(of: digest.hex)?.identity == present.identity() else { return nil }
        } else {
            isRevival = try beginRevival(of: digest)
            guard try objects.link(upload.descriptor, to: digest.hex) else { return nil }
        }
        // Another process may have linked it without syncing it yet.
        try objects.synchronize()
        if isRevival { try finishRevival(of: digest) }
        return isRevival
    }

    /// Creates the key, or renews its age, under the shard's lock.
    ///
    /// - Parameter isProbablyNew: whether to try to create it first.
    /// - Returns: whether it was created.
    private func link(_ key: PayloadKey, size: UInt64, isProbablyNew: Bool) throws -> Bool {
        // Opened last, because an empty folder may be deleted at any time.
        let folder = try folders.folder(StoreLayout.keyFolder(key))
        let name = StoreLayout.keyName(key)
        let stamp = try clock.stamp()
        // A key that exists is renewed without its namespace's counter, which may be in use for a count.
        let isCreatedFirst = isProbablyNew && quota(key.namespace) == nil
        var isNew = try isCreatedFirst || !renew(name, in: folder, stamp)
        if isNew { isNew = try create(key, name, in: folder, size: size, stamp) }
        try folder.synchronize()
        return isNew
    }

    /// Creates a key, or renews its age if it exists: a concurrent upload has just created it, or its content was lost.
    private func create(
        _ key: PayloadKey,
        _ name: String,
        in folder: Descriptor,
        size: UInt64,
        _ stamp: Int?
    ) throws -> Bool {
        let file: Descriptor
        do {
            file = try changing(key, adding: size, limit: quota(key.namespace)) {
                try folder.open(name, O_RDONLY | O_CREAT | O_EXCL, mode: 0o440)
            }
        } catch let error as StoreError where error.errno == .fileExists {
            guard try renew(name, in: folder, stamp) else { throw error }
            return false
        }
        if let stamp { try file.setModified(stamp) }
        try file.synchronize()
        return true
    }

    /// Renews the age of a key; false if there is none.
    private func renew(_ name: String, in folder: Descriptor, _ stamp: Int?) throws -> Bool {
        guard let present = try folder.openIfThere(name, O_RDONLY | O_NONBLOCK) else { return false }
        guard try present.status().isRegular else {
            throw StoreError(.damaged, "\(present.name) is not a regular file")
        }
        try present.setModified(stamp)
        try present.synchronize()
        return true
    }

    /// Syncs the content before any name in the tree leads to it. The mode changes first: it marks a file whose sync
    /// may have failed (``Upload/isTriedBefore``).
    private func makeDurable(_ upload: VerifiedUpload) throws {
        try upload.descriptor.changeMode(to: 0o440)
        try upload.descriptor.synchronizeData()
    }

    /// The existing object with the upload's content, once verified; `nil` if there is none. A name and a size prove
    /// nothing.
    private func soundObject(for upload: VerifiedUpload) throws -> FileContent? {
        do {
            guard let object = try FileContent(StoreLayout.object(upload.digest), below: root) else { return nil }
            // The upload's digest is verified, so there is no need to compute the object's.
            if try object.hasSameBytes(as: upload.content) { return object }
        } catch is StoreError {
            // It is looked at again below.
        }
        return try repairedObject(for: upload)
    }

    /// As ``soundObject(for:)``, for an object that seems to be damaged: if it is, it is quarantined and the upload
    /// replaces it.
    private func repairedObject(for upload: VerifiedUpload) throws -> FileContent? {
        let digest = upload.digest
        let path = StoreLayout.object(digest)
        guard let status = try root.status(of: path) else { return nil }
        var damaged = status.identity
        let reason: String
        // Kept open, so that its inode number is not reused for another file.
        var object: FileContent?
        do {
            // Opening a symbolic link would fail with another error.
            guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
            object = try FileContent(path, below: root)
            guard let object else { return nil }
            guard let wrong = try wrongContent(object, digest) else { return object }
            damaged = try object.identity()
            reason = wrong
        } catch let error as StoreError where error.code == .damaged || error.code == .unreadable {
            reason = "\(error)"
        }
        try makeDurable(upload)
        let target = try replace(object, damaged, path, with: upload)
        withExtendedLifetime(object) {}
        guard let target else { return nil }
        logger.error(
            "damaged content replaced by a verified upload",
            metadata: ["file": "\(path)", "found": "\(reason)", "moved_to": "\(target)"]
        )
        return upload.content
    }

    /// Replaces damaged content, which goes to quarantine, with an upload. Readers find either one.
    ///
    /// - Parameter object: the damaged content, if it can be opened.
    /// - Returns: the path in quarantine; `nil` if another process has replaced the object in the meantime.
    private func replace(
        _ object: FileContent?,
        _ damaged: FileStatus.Identity,
        _ path: String,
        with upload: VerifiedUpload
    ) throws -> String? {
        let digest = upload.digest
        let target = StoreLayout.quarantined(digest, IncomingFile.uniqueName(root.kernel))
        let temporary = IncomingFile.uniqueName(root.kernel)
        return try withExclusiveLock(of: digest.firstByte) {
            guard try root.status(of: path)?.identity == damaged else { return nil }
            try loseContent(digest)
            if let object {
                _ = try root.link(object.descriptor, to: target)
            } else {
                try root.rename(path, to: target)
            }
            try root.synchronizeFolder(StoreLayout.quarantine)
            _ = try incoming.link(upload.descriptor, to: temporary)
            do {
                try incoming.rename(temporary, to: path, in: root)
            } catch {
                // If this fails, the file is deleted later as a leftover.
                _ = try? incoming.unlink(temporary)
                throw error
            }
            try root.synchronizeFolder(StoreLayout.objectFolder(digest.firstByte))
            try finishRevival(of: digest)
            return target
        }
    }
}
