import Glibc
import PayloadKey
import SystemPackage

/// A key that was deleted, and is kept for some time.
public struct TrashedKey: Sendable {
    /// The key as it lies in `trash/`. It answers as never stored.
    public let stored: StoredKey
    /// When it counts as deleted, in seconds since 1970: the end of the hour in which it was.
    public let deleted: Int
}

/// What an undeletion found.
public enum UndeleteOutcome: Sendable {
    /// The key is there again.
    case undeleted
    /// It was stored again in the meantime.
    case existed
    /// It is in the trash no more.
    case gone
}

/// Deleted keys are links in `trash/<seconds>/`, which is laid out as `keys/` is. The time is in the path, since key,
/// object and trash are one file, which has one mtime.
extension PayloadStore {
    /// Deletes a key as ``delete(_:if:)`` does, but keeps it and its content in the trash. Frees nothing.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - isUnwanted: asked again under the lock, with what is there then: its age may have been renewed.
    /// - Returns: whether it was there and unwanted.
    /// - Throws: ``StoreError``; the key is in one place then, or in the other.
    @discardableResult
    public func moveToTrash(
        _ key: PayloadKey,
        now: Int = time(nil),
        if isUnwanted: (StoredKey) -> Bool = { _ in true }
    ) throws(StoreError) -> Bool {
        // A folder for each hour, not for each second: making one costs a handful of syncs.
        let hour = 3600
        let tree = StoreLayout.trash(deletedAt: (now / hour + 1) * hour)
        return try waitingForCounts(of: key.namespace) { () throws(StoreError) in
            try withExclusiveLock(of: key.digest.shard) { () throws(StoreError) in
                guard let found = try find(key), isUnwanted(found) else { return false }
                let folder = try folders.folder(StoreLayout.keyFolder(key, in: tree))
                try changing(found.path, of: key.namespace.description) { () throws(StoreError) in
                    try move(found.path, to: StoreLayout.key(key, in: tree))
                }
                try folder.synchronize()
                try synchronizeFolder(StoreLayout.keyFolder(key))
                return true
            }
        }
    }

    /// Under the shard's exclusive lock, so that `target` is what it was when it was looked at.
    private func move(_ path: String, to target: String) throws(StoreError) {
        if let present = try root.status(of: target), present.identity == (try root.status(of: path))?.identity {
            // Deleted, stored and deleted again within the hour. rename(2) would do nothing, and say that it did it.
            try systemCall("unlink \(path)") { unlinkat(root.rawValue, path, 0) }
        } else {
            try systemCall("move \(path) to \(target)") { renameat(root.rawValue, path, root.rawValue, target) }
        }
    }

    /// Hands over the deleted keys of a selection, those that were deleted last first, while others come and go.
    ///
    /// - Throws: ``StoreError`` when a folder can't be read, or what `visit` throws.
    public func forEachTrashedKey(
        in selection: KeySelection = KeySelection(),
        _ visit: (TrashedKey) throws -> Void
    ) throws {
        for deleted in try timesInTrash() {
            try forEachKey(in: selection, of: .all, below: StoreLayout.trash(deletedAt: deleted)) { stored in
                try visit(TrashedKey(stored: stored, deleted: deleted))
            }
        }
    }

    /// What the trash has of one key, what was deleted last first.
    public func trashed(_ key: PayloadKey) throws(StoreError) -> [TrashedKey] {
        var found: [TrashedKey] = []
        for deleted in try timesInTrash() {
            let path = StoreLayout.key(key, in: StoreLayout.trash(deletedAt: deleted))
            guard let status = try root.status(of: path), status.isRegular else { continue }
            found.append(TrashedKey(stored: StoredKey(key, path, status), deleted: deleted))
        }
        return found
    }

    private func timesInTrash() throws(StoreError) -> [Int] {
        try root.namesIfThere(StoreLayout.trash).compactMap { name in
            Int(name).flatMap { "\($0)" == name ? $0 : nil }
        }.sorted(by: >)
    }

    /// Takes a key out of the trash for good, and its content when no other key has it.
    ///
    /// - Returns: whether it was still there.
    @discardableResult
    public func purge(_ trashed: TrashedKey) throws(StoreError) -> Bool {
        let key = trashed.stored.key
        return try withExclusiveLock(of: key.digest.shard) { () throws(StoreError) in
            let path = trashed.stored.path
            let absent = try systemCall("unlink \(path)", expecting: .noSuchFileOrDirectory) {
                unlinkat(root.rawValue, path, 0)
            }
            guard absent == nil else { return false }
            try finishDeletion(of: key, in: StoreLayout.trash(deletedAt: trashed.deleted))
            return true
        }
    }

    /// Removes the folders of the trash that hold nothing.
    ///
    /// - Parameter isOver: asked for the time at which a folder's keys count as deleted; a folder into which keys may
    ///   still be moved must stay.
    public func removeEmptyTrash(where isOver: (_ deleted: Int) -> Bool) throws(StoreError) {
        for deleted in try timesInTrash() where isOver(deleted) {
            try removeFolderIfEmpty(StoreLayout.trash(deletedAt: deleted))
        }
    }

    /// Gives a deleted key its content back, as an upload does: after the content was verified; its age counts from
    /// now.
    ///
    /// - Throws: ``StoreError``, with code `damaged` when the content is not what was stored; it stays in the trash.
    public func undelete(_ trashed: TrashedKey) throws -> UndeleteOutcome {
        guard let content = try content(of: trashed) else { return .gone }
        let digest = trashed.stored.key.digest
        let actual = try content.digest()
        guard actual == digest else {
            throw StoreError(.damaged, "\(content.name) is damaged: its content has digest \(actual)")
        }
        // Before the key is there: no collection may find it with the age for which it was deleted.
        try systemCall("renew the age of \(content.name)") { futimens(content.descriptor.rawValue, nil) }
        try content.descriptor.synchronize(content.name)
        let upload = VerifiedUpload(digest: digest, size: content.size, descriptor: content.descriptor, ownFile: nil)
        if let outcome = try putBackUnlessFull(upload, trashed) { return outcome }
        let copy = try receive(length: content.size, digest: digest) { take in
            try content.read(0..<content.size, take)
        }
        return try putBack(copy, trashed)
    }

    private func content(of trashed: TrashedKey) throws(StoreError) -> FileContent? {
        let path = trashed.stored.path
        let file: Descriptor
        do {
            file = try root.open(path, O_RDONLY | O_NONBLOCK)
        } catch let error where error.errno == .noSuchFileOrDirectory {
            return nil
        }
        let status = try file.status(path)
        guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
        return FileContent(size: status.size, name: path, descriptor: file)
    }

    /// `nil` when the file has as many names as the file system allows.
    private func putBackUnlessFull(
        _ upload: VerifiedUpload,
        _ trashed: TrashedKey
    ) throws(StoreError) -> UndeleteOutcome? {
        do throws(StoreError) {
            return try putBack(upload, trashed)
        } catch let error where error.errno == .tooManyLinks {
            return nil
        } catch let error where error.code == .uploadGone {
            return .gone
        }
    }

    /// One step for whoever deletes: a key is never taken from the trash that was just moved there again.
    private func putBack(_ upload: VerifiedUpload, _ trashed: TrashedKey) throws(StoreError) -> UndeleteOutcome {
        let key = trashed.stored.key
        let path = trashed.stored.path
        return try waitingForCounts(of: key.namespace) { () throws(StoreError) in
            try withExclusiveLock(of: key.digest.shard) { () throws(StoreError) in
                // Whoever undeletes has decided that it is to be there.
                let outcome = try place(upload, as: key, limit: nil)
                // A name that comes back with power does no harm: it is purged in its time.
                _ = try systemCall("unlink \(path)", expecting: .noSuchFileOrDirectory) {
                    unlinkat(root.rawValue, path, 0)
                }
                return outcome == .existed ? .existed : .undeleted
            }
        }
    }
}
