import Encoding
import Storage

extension DiskStore {
    /// Deletes files that crashed uploads left in `incoming/`, unchanged for longer than
    /// ``UploadFolder/uploadLifetime``, and old probe files.
    ///
    /// - Returns: the number of files deleted.
    /// - Throws: ``StoreError``; files deleted before the failure stay deleted.
    @discardableResult
    public func removeLeftovers() throws -> Int { try uploads.remove(leftovers(), in: root) }

    /// Files left by crashed uploads, and by processes that crashed while they checked the file system at start.
    func leftovers() throws -> [String] {
        try leftovers(in: StoreLayout.incoming) { _ in true }
            + leftovers(in: StoreLayout.objects, named: StoreLayout.isProbe)
            + leftovers(in: StoreLayout.keys, named: StoreLayout.isNameProbe)
    }

    private func leftovers(in folder: String, named isName: (String) -> Bool) throws -> [String] {
        try root.names(folder).filter(isName).map { "\(folder)/\($0)" }.filter(root.isLeftover)
    }

    /// Logs stray files in the store's upper folders, and never touches them. Reads only the root, `objects/`, `keys/`,
    /// `locks/`, `barriers/` and `incoming/`, so its cost does not grow with the number of payloads.
    public func reportStrayFiles() throws {
        for folder in StoreLayout.upperFolders {
            for path in try strayFiles(in: folder) {
                logger.warning(
                    "stray file in the store ignored",
                    metadata: ["file": "\(printable(path.utf8))"]
                )
            }
        }
    }

    /// Stray files in one of ``StoreLayout/upperFolders``, sorted, followed by names that are not UTF-8.
    func strayFiles(in folder: String) throws -> [String] {
        let entries = try root.entries(folder)
        let stray = try entries.names.filter { try isStray($0, in: folder) }
        return (stray.sorted() + entries.notUTF8).map { StoreLayout.path(of: $0, in: folder) }
    }

    /// Whether a name in one of ``StoreLayout/upperFolders`` does not belong there.
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
