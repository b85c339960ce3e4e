import Glibc
import PayloadKey

extension PayloadStore {
    /// Gives the keys that lost this content to quarantine theirs again. Where that fails, the next upload tries again;
    /// this one is stored all the same. Under the shard's lock.
    ///
    /// - Returns: whether there were any, and all are healed.
    @discardableResult
    func healLostKeys(of digest: Digest, _ objects: FolderCache.Folder) -> Bool {
        do {
            let list = LostKeys(digest, root)
            let lost = try list.read()
            guard !lost.isEmpty else { return false }
            // One that can't be healed is no reason to let the others wait.
            let healed = lost.keys.count { heal($0, objects) }
            guard healed == lost.keys.count else { return false }
            if lost.unknown.isEmpty {
                try list.remove()
            } else {
                let kept = try list.setAside()
                logger.error(
                    "a list of keys that lost their content has lines that name none, it is kept",
                    metadata: [
                        "digest": "\(digest)", "file": "\(kept)",
                        "lines": "\(lost.unknown.map { printable($0) })",
                    ]
                )
            }
            logger.notice(
                "keys whose content was damaged are healed",
                metadata: ["digest": "\(digest)", "keys": "\(healed)"]
            )
            return true
        } catch {
            logger.error(
                "keys whose content was damaged can't be healed",
                metadata: ["digest": "\(digest)", "error": "\(error)"]
            )
            return false
        }
    }

    /// - Returns: whether the key is there now, on disk.
    private func heal(_ key: PayloadKey, _ objects: FolderCache.Folder) -> Bool {
        let path = StoreLayout.key(key)
        do throws(StoreError) {
            let folder = try folders.folder(StoreLayout.keyFolder(key))
            // Without limit: it was stored before.
            try changing(path, of: key.namespace.description) { () throws(StoreError) in
                _ = try systemCall("link \(path) to \(objects.path)/\(key.digest.hex)", expecting: .fileExists) {
                    linkat(objects.descriptor.rawValue, key.digest.hex, root.rawValue, path, 0)
                }
            }
            try folder.synchronize()
            return true
        } catch {
            // A count ends by itself, and the key's next chance is the next upload.
            logger.log(
                level: error.code == .counting ? .notice : .error,
                "a key whose content was damaged is not healed yet",
                metadata: ["key": "\(key)", "error": "\(error)"]
            )
            return false
        }
    }
}
