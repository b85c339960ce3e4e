import Encoding
import Storage

extension DiskStore {
    /// Removes what crashed uploads left in `incoming/`: files unchanged for longer than ``UploadFolder/uploadLifetime``.
    ///
    /// - Returns: how many files were removed.
    /// - Throws: ``StoreError``; what was removed before stays removed.
    @discardableResult
    public func removeLeftovers() throws -> Int { try uploads.remove(leftovers(), in: root) }

    /// What crashes have left of uploads, and of starts that checked what the file system can do.
    func leftovers() throws -> [String] {
        try leftovers(in: StoreLayout.incoming) { _ in true }
            + leftovers(in: StoreLayout.objects, named: StoreLayout.isProbe)
            + leftovers(in: StoreLayout.keys, named: StoreLayout.isNameProbe)
    }

    private func leftovers(in folder: String, named isName: (String) -> Bool) throws -> [String] {
        try root.names(folder).filter(isName).map { "\(folder)/\($0)" }.filter(root.isLeftover)
    }

    /// Logs files that do not belong in the store's upper folders; they are never touched. Looks at the root, `objects/`,
    /// `keys/`, `locks/` and `incoming/` only, so its cost does not grow with the payloads.
    public func reportStrayFiles() throws {
        for folder in StoreLayout.upperFolders {
            for path in try strayFiles(in: folder) {
                logger.warning(
                    "a file that is not the store's lies in it and is ignored",
                    metadata: ["file": "\(printable(path.utf8))"]
                )
            }
        }
    }

    /// What does not belong in one of ``StoreLayout/upperFolders``, in order; then what has a name that is not UTF-8.
    func strayFiles(in folder: String) throws -> [String] {
        let entries = try root.entries(folder)
        let stray = try entries.names.filter { try isStray($0, in: folder) }
        return (stray.sorted() + entries.notUTF8).map { StoreLayout.path(of: $0, in: folder) }
    }

    /// Whether something in one of ``StoreLayout/upperFolders`` does not belong there.
    func isStray(_ name: String, in folder: String) throws -> Bool {
        let path = StoreLayout.path(of: name, in: folder)
        switch folder {
        case StoreLayout.objects: return !StoreLayout.isShard(name) && !StoreLayout.isProbe(name)
        case StoreLayout.locks: return !StoreLayout.isShard(name) && path != StoreLayout.collectorLock
        case StoreLayout.barriers: return !StoreLayout.isShard(name)
        case StoreLayout.incoming: return try root.status(of: path)?.isRegular == false
        case StoreLayout.keys:
            if StoreLayout.isNameProbe(name) { return false }
            return try root.status(of: path)?.isFolder == false
        default:
            if StoreLayout.foldersOnDemand.contains(name) { return try root.status(of: path)?.isFolder == false }
            return !(StoreLayout.folders + StoreLayout.files + [StoreLayout.lostAndFound]).contains(name)
        }
    }
}
