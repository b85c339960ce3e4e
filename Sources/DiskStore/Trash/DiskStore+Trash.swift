import PayloadKey
import Storage

/// A deleted key is a file in `trash/<seconds>/`, which is laid out as `keys/` is. The time of its deletion is in the path,
/// since its mtime is its age.
extension DiskStore {
    /// Deletes a key as ``remove(_:isDurable:if:)`` does, but keeps it, and with it its content, in the trash.
    ///
    /// - Parameters:
    ///   - now: the time of the deletion, in seconds since 1970; `nil`: the system's.
    ///   - isDurable: as of ``remove(_:isDurable:if:)``.
    ///   - isUnwanted: asked under the lock, with when the key was last stored (seconds since 1970).
    /// - Returns: whether it was there and unwanted.
    /// - Throws: ``StoreError``; the key is in one place then, or in the other.
    @discardableResult
    public func moveToTrash(
        _ key: PayloadKey,
        now: Int? = nil,
        isDurable: Bool = true,
        if isUnwanted: (_ lastStored: Int) -> Bool = { _ in true }
    ) throws -> Bool {
        // A folder for each hour, not for each second: making one costs a handful of syncs.
        let hour = 3600
        let tree = StoreLayout.trash(deletedAt: ((now ?? root.kernel.now()) / hour + 1) * hour)
        let target = try withUnwanted(key, isUnwanted) { _, _ in
            let folder = try folders.folder(StoreLayout.keyFolder(key, in: tree))
            let source = try root.openFolder(StoreLayout.keyFolder(key))
            let name = StoreLayout.keyName(key)
            try noteInBarrier(key.digest)
            try changing(key) { try source.rename(name, to: name, in: folder) }
            return folder
        }
        // A rename is one change. Should the old name come back, the key is only deleted once more.
        if isDurable { try target?.synchronize() }
        return target != nil
    }

    /// Visits the deleted keys of a selection, those that were deleted last first, while others come and go.
    ///
    /// - Parameters:
    ///   - unreadable: as of ``forEachKey(in:unreadable:_:)``.
    /// - Throws: ``StoreError`` when a folder can't be read, or what `visit` and `unreadable` throw.
    public func forEachTrashedKey(
        in selection: KeySelection = KeySelection(),
        unreadable: (_ path: String, StoreError) throws -> Void = { throw $1 },
        _ visit: (TrashedKey) throws -> Void
    ) throws {
        for deleted in try readable(StoreLayout.trash, unreadable, timesInTrash) ?? [] {
            let tree = StoreLayout.trash(deletedAt: deleted)
            try forEachKey(in: selection, below: tree, unreadable: unreadable) { key, path in
                if let stored = try stored(key, path) { try visit(TrashedKey(stored: stored, deleted: deleted)) }
            }
        }
    }

    /// What the trash has of one key, what was deleted last first.
    public func trashed(_ key: PayloadKey) throws -> [TrashedKey] {
        var found: [TrashedKey] = []
        for deleted in try timesInTrash() {
            let path = StoreLayout.key(key, in: StoreLayout.trash(deletedAt: deleted))
            if let stored = try stored(key, path) { found.append(TrashedKey(stored: stored, deleted: deleted)) }
        }
        return found
    }

    func timesInTrash() throws -> [Int] {
        try root.namesIfThere(StoreLayout.trash).compactMap(StoreLayout.timeInTrash).sorted(by: >)
    }

    /// Deletes a key from the trash. Its content stays until a sweep finds that no key names it.
    ///
    /// - Returns: whether it was still there.
    @discardableResult
    public func purge(_ trashed: TrashedKey) throws -> Bool {
        try withExclusiveLock(of: trashed.stored.key.digest.firstByte) {
            try root.unlink(trashed.stored.path)
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
        failed: (StoreError) throws -> Void = { throw $0 }
    ) throws {
        for deleted in try timesInTrash() where isOver(deleted) {
            try goingOn(failed) { try removeEmptyFolders(ofTrash: StoreLayout.trash(deletedAt: deleted)) }
        }
    }
}
