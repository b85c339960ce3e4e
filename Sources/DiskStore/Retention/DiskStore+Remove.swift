import PayloadKey
import Storage

extension DiskStore {
    /// Deletes a key. Downloads under way go on. Its content stays until a sweep finds that no key names it (``Collector``).
    ///
    /// The shard's lock is held exclusively, so no upload of the payload is under way: one that is answered afterwards has
    /// stored it again.
    ///
    /// - Parameters:
    ///   - isDurable: wait until the deletion is on disk. A sweep makes all deletions before it durable by itself.
    ///   - isUnwanted: asked under the lock, with when the key was last stored (seconds since 1970): its age may have been
    ///     renewed.
    /// - Returns: what was stored under it; `nil` when it was not there, or is wanted.
    /// - Throws: ``StoreError``.
    @discardableResult
    public func remove(
        _ key: PayloadKey,
        isDurable: Bool = true,
        if isUnwanted: (_ lastStored: Int) -> Bool = { _ in true }
    ) throws -> StoredKey? {
        try withUnwanted(key, isUnwanted) { path, lastStored in
            // Whatever is wrong with its content, a key can be deleted.
            let stored =
                (try? storedKey(key, path, lastStored: lastStored))
                ?? StoredKey(key, size: nil, diskUsage: 0, lastStored: lastStored, path: path)
            // Opened, since a link on the way would lead to another's file.
            let folder = try root.openFolder(StoreLayout.keyFolder(key))
            try changing(key) { try folder.unlink(StoreLayout.keyName(key)) }
            if isDurable { try folder.synchronize() }
            return stored
        }
    }

    /// Looks at a key again under its shard's exclusive lock, and runs `work` when it is still unwanted.
    ///
    /// - Returns: `nil` when it was not there, or is wanted.
    func withUnwanted<Value>(
        _ key: PayloadKey,
        _ isUnwanted: (_ lastStored: Int) -> Bool,
        _ work: (_ path: String, _ lastStored: Int) throws -> Value
    ) throws -> Value? {
        try afterCounts(of: key.namespace, isPatient: true) {
            try withExclusiveLock(of: key.digest.firstByte) {
                let path = StoreLayout.key(key)
                guard let status = try root.status(of: path) else { return nil }
                guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
                guard isUnwanted(status.modified) else { return nil }
                return try work(path, status.modified)
            }
        }
    }
}
