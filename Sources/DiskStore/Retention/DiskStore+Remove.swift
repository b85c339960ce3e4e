import PayloadKey
import Storage

extension DiskStore {
    /// Deletes a key. Downloads in progress continue. Its content stays until the next sweep, which deletes it if it is
    /// unreferenced (``Collector``).
    ///
    /// Holds the shard's lock exclusively, so that no commit of the payload is in progress: an upload acknowledged
    /// afterwards has stored it again.
    ///
    /// - Parameters:
    ///   - isDurable: wait until the deletion is on disk. A sweep makes all earlier deletions durable by itself.
    ///   - isUnwanted: whether to delete the key, given when it was last stored (seconds since 1970). Called under the
    ///     lock, because the key's age may have been renewed.
    /// - Returns: the deleted key; `nil` if it did not exist, or `isUnwanted` returned false.
    /// - Throws: ``StoreError``, also if the key's path is not a regular file.
    @discardableResult
    public func remove(
        _ key: PayloadKey,
        isDurable: Bool = true,
        if isUnwanted: (_ lastStored: Int) -> Bool = { _ in true }
    ) throws -> StoredKey? {
        try withUnwanted(key, isUnwanted) { path, lastStored in
            // A key can be deleted even if its content is faulty.
            let stored =
                (try? storedKey(key, path, lastStored: lastStored))
                ?? StoredKey(key, size: nil, diskUsage: 0, lastStored: lastStored, path: path)
            // Opened, because unlinking by the full path would follow a link in it to a foreign file.
            let folder = try root.openFolder(StoreLayout.keyFolder(key))
            try changing(key) { try folder.unlink(StoreLayout.keyName(key)) }
            if isDurable { try folder.synchronize() }
            return stored
        }
    }

    /// Checks a key again under its shard's exclusive lock, and runs `work` if it is still unwanted.
    ///
    /// - Returns: the result of `work`; `nil` if the key does not exist, or `isUnwanted` returned false.
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
