import PayloadKey

/// A store that can keep deleted keys and their content in the trash.
public protocol TrashKeeping: PayloadStorage {
    /// Moves a key to the trash, which keeps its content; otherwise as ``PayloadStorage/remove(_:isDurable:if:)``.
    ///
    /// - Parameter now: the time of the deletion, in seconds since 1970; `nil` for the system's time.
    /// - Returns: whether the key was moved: it existed, and `isUnwanted` returned true.
    func moveToTrash(
        _ key: PayloadKey,
        now: Int?,
        isDurable: Bool,
        if isUnwanted: (_ lastStored: Int) -> Bool
    ) throws -> Bool

    /// Visits the selected keys in the trash, the most recently deleted first, while other keys come and go.
    ///
    /// - Parameter unreadable: called for each path that can't be read; the walk continues when it returns.
    func forEachTrashedKey(
        in selection: KeySelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (TrashedKey) throws -> Void
    ) throws

    /// All entries of one key in the trash, the most recently deleted first.
    func trashed(_ key: PayloadKey) throws -> [TrashedKey]

    /// Deletes a key from the trash permanently. Its content stays until the next sweep, which deletes it if it is
    /// unreferenced.
    ///
    /// - Returns: whether the key was still in the trash.
    func purge(_ trashed: TrashedKey) throws -> Bool

    /// Deletes empty folders of the trash.
    ///
    /// - Parameters:
    ///   - isOver: whether to consider a folder, given the time at which its keys count as deleted. A folder to which
    ///     keys may still be moved must stay.
    ///   - failed: called with the failure of one folder; the call continues with the others when it returns.
    func removeEmptyTrash(where isOver: (_ deleted: Int) -> Bool, failed: (StoreError) throws -> Void) throws

    /// Restores a key from the trash after verifying its content, and renews its age.
    ///
    /// - Throws: ``StoreError``, with code `damaged` if its content is lost or damaged. The key then stays in the
    ///   trash.
    func undelete(_ trashed: TrashedKey) throws -> UndeleteOutcome
}

/// A key in the trash.
public struct TrashedKey: Sendable {
    /// The key and its size and age. Requests for it answer 404.
    public let stored: StoredKey
    /// When the key counts as deleted, in seconds since 1970: the end of the hour of its deletion.
    public let deleted: Int

    package init(stored: StoredKey, deleted: Int) {
        self.stored = stored
        self.deleted = deleted
    }
}

/// The result of an undeletion.
public enum UndeleteOutcome: Sendable {
    /// The key is restored.
    case undeleted
    /// The key was stored again in the meantime; its entry in the trash is deleted.
    case existed
    /// The key is no longer in the trash.
    case gone
}
