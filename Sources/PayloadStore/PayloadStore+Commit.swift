import Glibc
import PayloadKey
import SystemPackage

/// What a commit found.
public enum CommitOutcome: Sendable {
    /// The key and its content are new.
    case created
    /// The key is new, its content was there already.
    case linked
    /// The key was there already; its age counts from now.
    case existed
}

extension PayloadStore {
    /// Makes a verified upload readable under its key. When this returns, content and names are on disk.
    ///
    /// The order matters: content is on disk before any name leads to it, and the names are before the caller can
    /// answer. A crash at any point leaves either nothing or a whole payload. Collection of garbage holds the shard's
    /// lock exclusively.
    ///
    /// - Throws: ``StoreError``, with code `quotaExceeded` or `counting` when the namespace has a quota and no room, or
    ///   is being counted; the upload may have become an object without key then, which harms nothing.
    public func commit(_ upload: VerifiedUpload, as key: PayloadKey) throws(StoreError) -> CommitOutcome {
        try commit(upload, as: key, waitsForCounts: false)
    }

    /// As ``commit(_:as:)``.
    ///
    /// - Parameter waitsForCounts: wait while the namespace is counted, for however long, instead of being refused: for an
    ///   operator's commands, whose store has no quotas.
    public func commit(
        _ upload: VerifiedUpload,
        as key: PayloadKey,
        waitsForCounts: Bool
    ) throws(StoreError) -> CommitOutcome {
        precondition(upload.digest == key.digest, "an upload is committed under its own digest")
        func commitOnce() throws(StoreError) -> CommitOutcome {
            // Before the content is synced, and linked where it has no key.
            try checkQuotaOnce(for: upload.size, as: key, isVerified: true)
            return try withSharedLock(of: key.digest) { () throws(StoreError) in
                try place(upload, as: key, limit: quota(key.namespace))
            }
        }
        return waitsForCounts
            ? try waitingForCounts(of: key.namespace, commitOnce) : try waitingBriefly(commitOnce)
    }

    /// Under the shard's lock.
    ///
    /// - Parameter limit: the most bytes that the namespace may have then, when the key is new; `nil`: any number.
    func place(_ upload: VerifiedUpload, as key: PayloadKey, limit: UInt64?) throws(StoreError) -> CommitOutcome {
        for _ in 0..<Self.mostFolderLosses {
            do throws(StoreError) {
                return try placeOnce(upload, as: key, limit)
            } catch let error where error.errno == .noSuchFileOrDirectory {
                guard try upload.descriptor.status("upload").links > 0 else {
                    throw StoreError(.uploadGone, error.action, errno: error.errno)
                }
                // A folder was deleted since it was opened, as empty ones are: make it anew.
            }
        }
        return try placeOnce(upload, as: key, limit)
    }

    /// How often one upload may lose a folder to those that remove empty ones at that moment.
    private static let mostFolderLosses = 8

    private func placeOnce(
        _ upload: VerifiedUpload,
        as key: PayloadKey,
        _ limit: UInt64?
    ) throws(StoreError) -> CommitOutcome {
        let objects = try folders.folder(StoreLayout.objectFolder(key.digest))
        let keys = try folders.folder(StoreLayout.keyFolder(key))
        let object = try placeObject(upload, in: objects)
        let outcome = try placeKey(key, in: keys, objects: objects, upload, limit)
        if object == .existed || outcome == .existed { try renewAge(StoreLayout.keyName(key), in: keys) }
        healLostKeys(of: upload.digest, objects)
        // The object's name is not waited for: a payload is read by its key's.
        try keys.synchronize()
        return outcome == .created && object == .existed ? .linked : outcome
    }

    /// Makes sure that `objects/` has the content, of which the upload is one copy.
    private func placeObject(_ upload: VerifiedUpload, in folder: FolderCache.Folder) throws(StoreError)
        -> CommitOutcome
    {
        let name = upload.digest.hex
        if let present = try folder.descriptor.status(of: name) {
            if present.isRegular, present.size == upload.size { return .existed }
            reportDamaged(present, name, in: folder, replacedBy: upload)
            try replaceObject(in: folder, with: upload)
            return .created
        }
        try makeDurable(upload)
        do {
            try link(upload.descriptor, to: name, in: folder.descriptor)
            return .created
        } catch let error where error.errno == .fileExists {
            // An equal upload was faster: its verified content serves as well as this one's.
            return .existed
        }
    }

    /// Makes sure that the key's name leads to the content.
    private func placeKey(
        _ key: PayloadKey,
        in folder: FolderCache.Folder,
        objects: FolderCache.Folder,
        _ upload: VerifiedUpload,
        _ limit: UInt64?
    ) throws(StoreError) -> CommitOutcome {
        let name = StoreLayout.keyName(key)
        let present = try folder.descriptor.status(of: name)
        if let present, present.isRegular, present.size == upload.size { return .existed }
        return try changing(
            StoreLayout.key(key),
            of: key.namespace.description,
            adding: upload.size,
            // A key that is there is always taken.
            limit: present == nil ? limit : nil
        ) { () throws(StoreError) in
            if let present {
                reportDamaged(present, name, in: folder, replacedBy: upload)
                try replace(name, in: folder) { temporary throws(StoreError) in
                    try linkObject(of: upload, objects, to: temporary, in: incoming)
                }
                return .existed
            }
            do throws(StoreError) {
                try linkObject(of: upload, objects, to: name, in: folder.descriptor)
                return .created
            } catch let error where error.errno == .fileExists {
                return .existed
            }
        }
    }

    /// Gives the object another name. Where it has as many as the file system allows (ext4: 65000), the upload becomes
    /// the object; the old file lives on under its keys.
    private func linkObject(
        of upload: VerifiedUpload,
        _ objects: FolderCache.Folder,
        to name: String,
        in folder: Descriptor
    ) throws(StoreError) {
        let object = upload.digest.hex
        let full = try systemCall("link key \(name) to \(objects.path)/\(object)", expecting: .tooManyLinks) {
            linkat(objects.descriptor.rawValue, object, folder.rawValue, name, 0)
        }
        guard full != nil else { return }
        try replaceObject(in: objects, with: upload)
        try systemCall("link key \(name) to \(objects.path)/\(object)") {
            linkat(objects.descriptor.rawValue, object, folder.rawValue, name, 0)
        }
    }

    private func replaceObject(in folder: FolderCache.Folder, with upload: VerifiedUpload) throws(StoreError) {
        try makeDurable(upload)
        try replace(upload.digest.hex, in: folder) { temporary throws(StoreError) in
            try link(upload.descriptor, to: temporary, in: incoming)
        }
    }

    /// Gives `name` to another file in one step: readers find the old file or the new one, never none.
    ///
    /// - Parameter makeLink: links the new file to the given name in `incoming/`.
    private func replace(
        _ name: String,
        in folder: FolderCache.Folder,
        makeLink: (_ temporary: String) throws(StoreError) -> Void
    ) throws(StoreError) {
        let temporary = IncomingFile.uniqueName()
        try makeLink(temporary)
        // rename(2) leaves it when it fails, and when both names are one file already. What can't be removed is left to
        // the sweep.
        defer { unlinkat(incoming.rawValue, temporary, 0) }
        try systemCall("rename onto \(folder.path)/\(name)") {
            renameat(incoming.rawValue, temporary, folder.descriptor.rawValue, name)
        }
    }

    /// Puts the content on disk, before any name of the tree leads to it. The mode goes first: a file whose sync may have
    /// failed is known by it (``Upload/isTriedBefore``).
    private func makeDurable(_ upload: VerifiedUpload) throws(StoreError) {
        try systemCall("chmod upload") { fchmod(upload.descriptor.rawValue, 0o440) }
        try systemCall("fdatasync upload") { fdatasync(upload.descriptor.rawValue) }
    }

    /// Counts a key's age from now, also after a crash: retention must not take a payload that a workflow has just
    /// stored again.
    private func renewAge(_ name: String, in folder: FolderCache.Folder) throws(StoreError) {
        let file = try folder.descriptor.open(name, O_RDONLY | O_NONBLOCK)
        try systemCall("renew the age of \(folder.path)/\(name)") { futimens(file.rawValue, nil) }
        try file.synchronize("\(folder.path)/\(name)")
    }

    private func reportDamaged(
        _ present: FileStatus,
        _ name: String,
        in folder: FolderCache.Folder,
        replacedBy upload: VerifiedUpload
    ) {
        logger.error(
            "a damaged file of the store is replaced by a verified upload",
            metadata: [
                "file": "\(folder.path)/\(name)", "found": "\(present.isRegular ? "\(present.size) bytes" : "no file")",
                "expected_bytes": "\(upload.size)",
            ]
        )
    }
}
