import Glibc
import PayloadKey
import Storage

extension DiskStore {
    /// Removes the folders below `keys/` that hold nothing, from the deepest up.
    ///
    /// Only what is named as the layout has it goes, and a namespace's own folder only with the last one in it: one that
    /// is empty without ever having had a key is somebody else's. An upload that loses its folder makes it again.
    ///
    /// - Parameter failed: called with what one namespace has failed with; the others follow when it returns.
    public func removeEmptyFolders(
        failed: (StoreError) throws -> Void = { throw $0 }
    ) throws {
        for namespace in try namespaces() {
            let folder = "\(StoreLayout.keys)/\(namespace)"
            do {
                if try removeEmptyFolders(ofNamespace: folder) { try root.removeFolder(folder) }
            } catch {
                try failed(error)
            }
        }
    }

    /// Removes the folders of a part of the trash that hold nothing, itself at last.
    func removeEmptyFolders(ofTrash tree: String) throws(StoreError) {
        for namespace in try namespaces(in: KeySelection(), below: tree) {
            let folder = "\(tree)/\(namespace)"
            _ = try removeEmptyFolders(ofNamespace: folder)
            _ = try root.removeFolder(folder)
        }
        _ = try root.removeFolder(tree)
    }

    /// - Returns: whether `common/` or `custom/` was removed.
    private func removeEmptyFolders(ofNamespace folder: String) throws(StoreError) -> Bool {
        let common = "\(folder)/\(StoreLayout.common)"
        for name in try root.namesIfThere(common) {
            if let shard = StoreLayout.shard(parsing: name) { try removeKeyFolder("\(common)/\(name)", shard) }
        }
        let isCommonGone = try root.removeFolder(common)
        let isCustomGone = try removeEmptyPrefixes("\(folder)/\(StoreLayout.custom)")
        return isCommonGone || isCustomGone
    }

    /// - Returns: whether the folder was removed.
    private func removeEmptyPrefixes(_ folder: String) throws(StoreError) -> Bool {
        for name in try root.namesIfThere(folder) {
            if let shard = StoreLayout.keyShard(parsing: name, isBelowPrefix: true) {
                try removeKeyFolder("\(folder)/\(name)", shard)
            } else if KeyPrefix(validating: name.utf8) != nil {
                _ = try removeEmptyPrefixes("\(folder)/\(name)")
            }
        }
        return try root.removeFolder(folder)
    }

    /// An upload that has opened the folder is about to store in it: it holds the shard's lock.
    private func removeKeyFolder(_ folder: String, _ shard: UInt8) throws(StoreError) {
        guard try root.entriesIfThere(folder).isEmpty else { return }
        try withExclusiveLock(of: shard) { () throws(StoreError) in _ = try root.removeFolder(folder) }
    }
}
