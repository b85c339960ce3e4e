import PayloadKey
import Storage

extension DiskStore {
    /// Removes the folders below `keys/` that hold nothing, from the deepest up.
    ///
    /// Only what is named as the layout has it goes, and a namespace's own folder only with the last one in it: one that
    /// is empty without ever having had a key is somebody else's. An upload that loses its folder makes it again.
    ///
    /// - Parameter failed: called with what one namespace has failed with; the others follow when it returns.
    public func removeEmptyFolders(failed: (StoreError) throws -> Void = { throw $0 }) throws {
        for namespace in try namespaces() {
            try goingOn(failed) {
                let isAnyRemoved = try removeEmptyFolders(of: namespace, in: StoreLayout.keys)
                if isAnyRemoved { try root.removeFolder(StoreLayout.namespace("\(namespace)")) }
            }
        }
    }

    /// Removes the folders of a part of the trash that hold nothing, itself at last.
    func removeEmptyFolders(ofTrash tree: String) throws {
        for namespace in try namespaces(below: tree) {
            try removeEmptyFolders(of: namespace, in: tree)
            try root.removeFolder("\(tree)/\(namespace)")
        }
        try root.removeFolder(tree)
    }

    /// - Returns: whether a folder below the namespace's own was removed.
    @discardableResult
    private func removeEmptyFolders(of namespace: Namespace, in tree: String) throws -> Bool {
        var isAnyRemoved = false
        try walk(namespace, in: tree) { entry in
            switch entry {
            case .end(let folder) where folder != "\(tree)/\(namespace)":
                if try root.removeFolder(folder) { isAnyRemoved = true }
            case .unreadable(_, let error) where error.isUnreadable: throw error
            default: break
            }
        }
        return isAnyRemoved
    }
}
