import PayloadKey
import Storage

extension DiskStore {
    /// Deletes empty folders below `keys/`, from the deepest up.
    ///
    /// Deletes only folders whose names belong to the layout, and a namespace's own folder only after a folder in it: a
    /// folder that is empty without ever having held a key belongs to somebody else. An upload whose folder is deleted
    /// creates it again.
    ///
    /// - Parameter failed: called with the failure of one namespace; the call continues with the others when it
    ///   returns.
    public func removeEmptyFolders(failed: (StoreError) throws -> Void = { throw $0 }) throws {
        for namespace in try namespaces() {
            try goingOn(failed) {
                let isAnyRemoved = try removeEmptyFolders(of: namespace, in: StoreLayout.keys)
                if isAnyRemoved { try root.removeFolder(StoreLayout.namespace("\(namespace)")) }
            }
        }
    }

    /// Deletes the empty folders in a folder of the trash, and finally that folder.
    func removeEmptyFolders(ofTrash tree: String) throws {
        for namespace in try namespaces(below: tree) {
            try removeEmptyFolders(of: namespace, in: tree)
            try root.removeFolder("\(tree)/\(namespace)")
        }
        try root.removeFolder(tree)
    }

    /// - Returns: whether a folder inside the namespace's own folder was deleted.
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
