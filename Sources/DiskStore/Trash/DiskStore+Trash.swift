import PayloadKey
import Storage

/// A deleted key is a file in `trash/<seconds>/`, which has the same layout as `keys/`. Its deletion time is in the
/// path, because its mtime is its age.
extension DiskStore {
    /// Moves a key to the trash, which keeps its content; otherwise as ``remove(_:isDurable:if:)``.
    ///
    /// - Parameters:
    ///   - now: the time of the deletion, in seconds since 1970; `nil` for the system's time.
    ///   - isDurable: as in ``remove(_:isDurable:if:)``.
    ///   - isUnwanted: whether to delete the key, given when it was last stored (seconds since 1970). Called under the
    ///     lock.
    /// - Returns: whether the key was moved: it existed, and `isUnwanted` returned true.
    /// - Throws: ``StoreError``; the key is then either in `keys/` or in the trash.
    @discardableResult
    public func moveToTrash(
        _ key: PayloadKey,
        now: Int? = nil,
        isDurable: Bool = true,
        if isUnwanted: (_ lastStored: Int) -> Bool = { _ in true }
    ) throws -> Bool {
        // One folder per hour, not per second, because creating one costs several syncs.
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
        // A rename is atomic. If a power loss undoes it, the key is deleted again later.
        if isDurable { try target?.synchronize() }
        return target != nil
    }

    /// Visits the selected keys in the trash, the most recently deleted first, while other keys come and go.
    ///
    /// - Parameters:
    ///   - unreadable: as in ``forEachKey(in:unreadable:_:)``.
    /// - Throws: ``StoreError`` if a folder can't be read, or what `visit` and `unreadable` throw.
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

    /// All entries of one key in the trash, the most recently deleted first.
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

    /// Deletes a key from the trash permanently. Its content stays until the next sweep, which deletes it if it is
    /// unreferenced.
    ///
    /// - Returns: whether the key was still in the trash.
    @discardableResult
    public func purge(_ trashed: TrashedKey) throws -> Bool {
        try withExclusiveLock(of: trashed.stored.key.digest.firstByte) {
            try root.unlink(trashed.stored.path)
        }
    }

    /// Deletes empty folders of the trash.
    ///
    /// - Parameters:
    ///   - isOver: whether to consider a folder, given the time at which its keys count as deleted. A folder to which
    ///     keys may still be moved must stay.
    ///   - failed: called with the failure of one folder; the call continues with the others when it returns.
    public func removeEmptyTrash(
        where isOver: (_ deleted: Int) -> Bool,
        failed: (StoreError) throws -> Void = { throw $0 }
    ) throws {
        for deleted in try timesInTrash() where isOver(deleted) {
            try goingOn(failed) { try removeEmptyFolders(ofTrash: StoreLayout.trash(deletedAt: deleted)) }
        }
    }
}
