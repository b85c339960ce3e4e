import Glibc
import PayloadKey

extension PayloadStore {
    /// Whether no key has an object, and no upload is about to give it one.
    func isWithoutKeys(_ digest: Digest) throws(StoreError) -> Bool {
        try withExclusiveLock(of: digest.shard) { () throws(StoreError) in
            try root.status(of: StoreLayout.object(digest))?.isUnreferencedObject == true
        }
    }

    /// Deletes an object that still has no key.
    func deleteIfWithoutKeys(_ digest: Digest) throws(StoreError) -> Bool {
        try withExclusiveLock(of: digest.shard) { () throws(StoreError) in try deleteObjectWithoutKeys(digest) }
    }

    /// Whether a key's object has lost its name. No deletion is under way while it looks: that takes the key first, then
    /// its object.
    func lacksObject(_ stored: StoredKey) throws(StoreError) -> Bool {
        try withSharedLock(of: stored.key.digest) { () throws(StoreError) in
            guard try root.status(of: stored.path)?.identity == stored.identity else { return false }
            return try root.status(of: StoreLayout.object(stored.key.digest)) == nil
        }
    }

    /// Makes the file of a key the object, too. Its content must have been verified.
    ///
    /// The lock is held shared, as for a commit: against the deletion of the key. An upload that makes the object at the
    /// same time makes it of equal content.
    ///
    /// - Returns: whether it was this call that made the object.
    func relink(_ stored: StoredKey) throws(StoreError) -> Bool {
        let digest = stored.key.digest
        return try withSharedLock(of: digest) { () throws(StoreError) in
            guard try root.status(of: stored.path)?.identity == stored.identity else { return false }
            let folder = try folders.folder(StoreLayout.objectFolder(digest))
            let present = try systemCall("link \(stored.path) to \(StoreLayout.object(digest))", expecting: .fileExists)
            {
                linkat(root.rawValue, stored.path, folder.descriptor.rawValue, digest.hex, 0)
            }
            try folder.synchronize()
            return present == nil
        }
    }
}

extension Descriptor {
    /// Changes the permissions of something below this folder, never of what a link leads to.
    func changeMode(of path: String, to mode: mode_t) throws(StoreError) {
        // glibc 2.32 and later do what the flag says, by way of /proc.
        try systemCall("chmod \(path)") { fchmodat(rawValue, path, mode, AT_SYMLINK_NOFOLLOW) }
    }

    /// Changes the owner of something below this folder, never of what a link leads to.
    func changeOwner(of path: String, to owner: uid_t) throws(StoreError) {
        // -1, as an unsigned number: the group stays (chown(2)).
        try systemCall("chown \(path)") { fchownat(rawValue, path, owner, gid_t.max, AT_SYMLINK_NOFOLLOW) }
    }
}
