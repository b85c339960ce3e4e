import Glibc
import PayloadKey

extension PayloadStore {
    /// Deletes a key, and its content when no other key has it. Downloads under way go on.
    ///
    /// The shard's lock is held exclusively, so no upload is between its look at the object and its link to it: an
    /// upload of the same payload that is answered afterwards has stored it anew.
    ///
    /// - Parameter isUnwanted: asked again under the lock, with what is there then: its age may have been renewed.
    /// - Returns: whether it was there and unwanted.
    /// - Throws: ``StoreError``; the key may be deleted then, and its content left for ``collectObjects(_:)``.
    @discardableResult
    public func delete(_ key: PayloadKey, if isUnwanted: (StoredKey) -> Bool = { _ in true }) throws(StoreError) -> Bool
    {
        try waitingForCounts(of: key.namespace) { () throws(StoreError) in
            try withExclusiveLock(of: key.digest.shard) { () throws(StoreError) in
                guard let found = try find(key), isUnwanted(found) else { return false }
                // Opened, since a link on the way would lead to another's file.
                let folder = try root.open(StoreLayout.keyFolder(key), O_RDONLY | O_DIRECTORY)
                try changing(found.path, of: key.namespace.description) { () throws(StoreError) in
                    try systemCall("unlink \(found.path)") { unlinkat(folder.rawValue, StoreLayout.keyName(key), 0) }
                }
                try finishDeletion(of: key, in: StoreLayout.keys)
                return true
            }
        }
    }

    /// Lets the content go, when a key that has lost its name was the last one; under the shard's exclusive lock.
    ///
    /// - Parameter tree: where the name was: `keys/`, or a folder of `trash/`.
    func finishDeletion(of key: PayloadKey, in tree: String) throws(StoreError) {
        // Before the content may go: on a file system without a journal, a name that comes back with power would
        // lead to blocks that are another file's by then.
        try root.synchronizeFolder(StoreLayout.keyFolder(key, in: tree))
        _ = try deleteObjectWithoutKeys(key.digest)
    }

    /// Deletes the objects that no key has: what crashes and interrupted deletions leave.
    ///
    /// - Parameters:
    ///   - isDryRun: only count them.
    ///   - failed: called with what one object or shard has failed with; the others follow when it returns.
    /// - Returns: how many there were, and how many bytes they took on the disk.
    public func collectObjects(
        isDryRun: Bool = false,
        failed: (StoreError) throws(StoreError) -> Void = { (error) throws(StoreError) in throw error }
    ) throws(StoreError) -> (count: Int, diskUsage: UInt64) {
        var count = 0
        var diskUsage: UInt64 = 0
        for shard in StoreLayout.shards {
            let names = Result { () throws(StoreError) in try root.namesIfThere("\(StoreLayout.objects)/\(shard)") }
            for name in try names.success(or: failed) ?? [] {
                guard let digest = Digest(hex: name.utf8), digest.shard == shard else { continue }
                let freed = Result { () throws(StoreError) in try collectObject(digest, isDryRun) }
                guard let bytes = try freed.success(or: failed) ?? nil else { continue }
                count += 1
                diskUsage += bytes
            }
        }
        return (count, diskUsage)
    }

    /// - Returns: how many bytes an object without keys took; `nil` when it has some, or was deleted by another.
    private func collectObject(_ digest: Digest, _ isDryRun: Bool) throws(StoreError) -> UInt64? {
        guard let status = try root.status(of: StoreLayout.object(digest)), status.isUnreferencedObject else {
            return nil
        }
        if isDryRun { return status.diskUsage }
        return try deleteIfWithoutKeys(digest) ? status.diskUsage : nil
    }

    /// Under the shard's exclusive lock.
    ///
    /// - Returns: whether it was there, without keys.
    func deleteObjectWithoutKeys(_ digest: Digest) throws(StoreError) -> Bool {
        let path = StoreLayout.object(digest)
        guard let status = try root.status(of: path), status.isUnreferencedObject else { return false }
        try systemCall("unlink \(path)") { unlinkat(root.rawValue, path, 0) }
        return true
    }
}

extension FileStatus {
    /// An object has one name of its own, one for each key, also for those in the trash, and for some time that of the
    /// upload in `incoming/`.
    var isUnreferencedObject: Bool { isRegular && links == 1 }
}
