import Glibc
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
    /// - Returns: whether it was there and unwanted.
    /// - Throws: ``StoreError``.
    @discardableResult
    public func delete(
        _ key: PayloadKey,
        isDurable: Bool = true,
        if isUnwanted: (_ lastStored: Int) -> Bool = { _ in true }
    ) throws -> Bool {
        try withUnwanted(key, isUnwanted) { path in
            // Opened, since a link on the way would lead to another's file.
            let folder = try root.open(StoreLayout.keyFolder(key), O_RDONLY | O_DIRECTORY)
            try changing(key) { try folder.unlink(StoreLayout.keyName(key)) }
            if isDurable { try folder.synchronize(path) }
        }
    }

    /// Looks at a key again under its shard's exclusive lock, and runs `work` when it is still unwanted.
    ///
    /// - Returns: whether it was.
    func withUnwanted(
        _ key: PayloadKey,
        _ isUnwanted: (_ lastStored: Int) -> Bool,
        _ work: (_ path: String) throws -> Void
    ) throws -> Bool {
        try afterCounts(of: key.namespace, isPatient: true) {
            try withExclusiveLock(of: key.digest.firstByte) {
                let path = StoreLayout.key(key)
                guard let status = try root.status(of: path) else { return false }
                guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
                guard isUnwanted(status.modified) else { return false }
                try work(path)
                return true
            }
        }
    }
}
