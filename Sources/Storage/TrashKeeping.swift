import PayloadKey

/// A store that can keep deleted keys, and with them their content, for a while.
public protocol TrashKeeping: PayloadStorage {
    /// Deletes a key as ``PayloadStorage/remove(_:isDurable:if:)`` does, but keeps it, and with it its content, in the trash.
    ///
    /// - Parameter now: the time of the deletion, in seconds since 1970; `nil`: the system's.
    /// - Returns: whether it was there and unwanted.
    func moveToTrash(
        _ key: PayloadKey,
        now: Int?,
        isDurable: Bool,
        if isUnwanted: (_ lastStored: Int) -> Bool
    ) throws -> Bool

    /// Visits the deleted keys of a selection, those that were deleted last first, while others come and go.
    ///
    /// - Parameter unreadable: called for what can't be looked at; the walk goes on when it returns.
    func forEachTrashedKey(
        in selection: KeySelection,
        unreadable: (_ path: String, StoreError) throws -> Void,
        _ visit: (TrashedKey) throws -> Void
    ) throws

    /// What the trash has of one key, what was deleted last first.
    func trashed(_ key: PayloadKey) throws -> [TrashedKey]

    /// Deletes a key from the trash. Its content stays until a sweep finds that no key names it.
    ///
    /// - Returns: whether it was still there.
    func purge(_ trashed: TrashedKey) throws -> Bool

    /// Removes the folders of the trash that hold nothing.
    ///
    /// - Parameters:
    ///   - isOver: asked for the time at which a folder's keys count as deleted; a folder into which keys may still be
    ///     moved must stay.
    ///   - failed: called with what one of them has failed with; the others follow when it returns.
    func removeEmptyTrash(where isOver: (_ deleted: Int) -> Bool, failed: (StoreError) throws -> Void) throws

    /// Restores a deleted key, after its content was verified; its age is renewed.
    ///
    /// - Throws: ``StoreError``, with code `damaged` when its content is lost or not what was stored; the key stays in
    ///   the trash then.
    func undelete(_ trashed: TrashedKey) throws -> UndeleteOutcome
}

/// A key that was deleted, and can be restored.
public struct TrashedKey: Sendable {
    /// The key as it lies in the trash. It answers as never stored.
    public let stored: StoredKey
    /// When it counts as deleted, in seconds since 1970: the end of the hour in which it was.
    public let deleted: Int

    package init(stored: StoredKey, deleted: Int) {
        self.stored = stored
        self.deleted = deleted
    }
}

/// What an undeletion found.
public enum UndeleteOutcome: Sendable {
    /// The key is there again.
    case undeleted
    /// It was stored again in the meantime, and is taken out of the trash.
    case existed
    /// It is in the trash no more.
    case gone
}
