import Glibc
import PayloadKey

extension PayloadStore {
    /// Removes the folders below `keys/` that hold nothing any more, from the deepest up.
    ///
    /// Only what is named as the layout has it goes, and a namespace's own folder only with the last one in it: one that
    /// is empty without ever having had a key is somebody else's.
    ///
    /// - Parameter failed: called with what one namespace has failed with; the others follow when it returns.
    public func removeEmptyFolders(
        failed: (StoreError) throws(StoreError) -> Void = { (error) throws(StoreError) in throw error }
    ) throws(StoreError) {
        for namespace in try namespaces() {
            let folder = "\(StoreLayout.keys)/\(namespace)"
            let removal = Result { () throws(StoreError) in
                if try removeEmptyFolders(ofNamespace: folder) { _ = try removeFolder(folder) }
            }
            _ = try removal.success(or: failed)
        }
    }

    /// Removes the folders of a part of the trash that hold nothing, itself at last.
    func removeEmptyFolders(ofTrash tree: String) throws(StoreError) {
        for namespace in try namespaces(in: KeySelection(), below: tree) {
            let folder = "\(tree)/\(namespace)"
            _ = try removeEmptyFolders(ofNamespace: folder)
            _ = try removeFolder(folder)
        }
        _ = try removeFolder(tree)
    }

    /// - Returns: whether `common/` or `custom/` was removed.
    private func removeEmptyFolders(ofNamespace folder: String) throws(StoreError) -> Bool {
        let common = "\(folder)/\(StoreLayout.common)"
        for shard in try root.namesIfThere(common) where StoreLayout.isShard(shard) {
            guard try root.entriesIfThere("\(common)/\(shard)").isEmpty else { continue }
            _ = try removeShard("\(common)/\(shard)", shard)
        }
        let isCommonGone = try removeFolder(common)
        let isCustomGone = try removeEmptyPrefixes("\(folder)/\(StoreLayout.custom)", StoreLayout.custom)
        return isCommonGone || isCustomGone
    }

    /// - Returns: whether the folder was removed.
    private func removeEmptyPrefixes(_ folder: String, _ name: String) throws(StoreError) -> Bool {
        guard try root.status(of: folder)?.isFolder == true else { return false }
        let entries = try root.entriesIfThere(folder)
        var isEmpty = entries.notUTF8.isEmpty
        for name in entries.names {
            // What looks like a key's name is a file, and need not be looked at.
            let isPrefix = StoreLayout.keyName(parsing: name) == nil && KeyPrefix(validating: name.utf8) != nil
            let isGone = isPrefix ? try removeEmptyPrefixes("\(folder)/\(name)", name) : false
            if !isGone { isEmpty = false }
        }
        guard isEmpty else { return false }
        return try StoreLayout.isShard(name) ? removeShard(folder, name) : removeFolder(folder)
    }

    /// An upload that has opened its shard's folder is about to link into it.
    private func removeShard(_ folder: String, _ shard: String) throws(StoreError) -> Bool {
        try withExclusiveLock(of: shard) { () throws(StoreError) in try removeFolder(folder) }
    }

    /// - Returns: whether it was there, empty.
    private func removeFolder(_ path: String) throws(StoreError) -> Bool {
        try systemCall(
            "remove folder \(path)",
            expecting: .directoryNotEmpty,
            .fileExists,
            .noSuchFileOrDirectory,
            .notDirectory
        ) {
            unlinkat(root.rawValue, path, AT_REMOVEDIR)
        } == nil
    }
}
