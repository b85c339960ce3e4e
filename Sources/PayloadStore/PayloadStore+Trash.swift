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
                try root.synchronizeFolder(StoreLayout.keyFolder(key))
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
    /// - Parameter unreadable: as of ``forEachKey(in:unreadable:_:)``.
    /// - Throws: ``StoreError`` when a folder can't be read, or what `visit` and `unreadable` throw.
    public func forEachTrashedKey(
        in selection: KeySelection = KeySelection(),
        unreadable: (_ path: String, StoreError) throws -> Void = { throw $1 },
        _ visit: (TrashedKey) throws -> Void
    ) throws {
        try forEachTrashedKey(in: selection, of: .all, unreadable: unreadable, visit)
    }

    /// Looks only at the keys of some contents.
    func forEachTrashedKey(
        in selection: KeySelection = KeySelection(),
        of digests: DigestSelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (TrashedKey) throws -> Void
    ) throws {
        let times = Result { () throws(StoreError) in try timesInTrash() }
        for deleted in try times.readable({ try unreadable(StoreLayout.trash, $0) }) ?? [] {
            let tree = StoreLayout.trash(deletedAt: deleted)
            try forEachKey(in: selection, of: digests, below: tree, unreadable: unreadable) { stored in
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
        try root.namesIfThere(StoreLayout.trash).compactMap(StoreLayout.timeInTrash).sorted(by: >)
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
    /// - Parameters:
    ///   - isOver: asked for the time at which a folder's keys count as deleted; a folder into which keys may still be
    ///     moved must stay.
    ///   - failed: called with what one of them has failed with; the others follow when it returns.
    public func removeEmptyTrash(
        where isOver: (_ deleted: Int) -> Bool,
        failed: (StoreError) throws(StoreError) -> Void = { (error) throws(StoreError) in throw error }
    ) throws(StoreError) {
        for deleted in try timesInTrash() where isOver(deleted) {
            let removal = Result { () throws(StoreError) in
                try removeEmptyFolders(ofTrash: StoreLayout.trash(deletedAt: deleted))
            }
            _ = try removal.success(or: failed)
        }
    }
}
