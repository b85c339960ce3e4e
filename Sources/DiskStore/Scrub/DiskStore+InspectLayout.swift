import Glibc
import Storage
import System

extension DiskStore {
    /// Checks for the folders and lock files that every store needs. This runs before the store is opened, because a
    /// store that lacks a folder can't be opened.
    ///
    /// - Parameters:
    ///   - path: the store's root. It must contain `layout.json`, so that an empty folder, such as the mount point of
    ///     an unmounted disk, does not become a store.
    ///   - repair: create whatever is missing, as ``create(at:)`` does.
    ///   - report: called with each finding, after its repair.
    /// - Throws: ``StoreError`` with code `missing` or `unknownFormat` if the folder is not a store, or what `report`
    ///   throws.
    public static func inspectLayout(at path: String, repair: Bool = false, report: (Finding) throws -> Void) throws {
        let path = withoutTrailingSlashes(path)
        let root = try openRoot(path, LinuxKernel.shared)
        try StoreFormat.check(root, path)
        func look(for path: String, make: () throws -> Void) throws {
            guard try root.status(of: path) == nil else { return }
            var remedy = Finding.Remedy.none
            if repair {
                remedy = .mending {
                    try make()
                    // Running workers still hold the deleted folder open.
                    return path == StoreLayout.incoming ? "created; restart the workers" : "created"
                }
            }
            try report(Finding(.missing, path, "is missing", remedy))
        }
        for folder in StoreLayout.folders {
            try look(for: folder) {
                try root.makeFolder(folder)
                try root.synchronize()
            }
        }
        guard try StoreLayout.lockFolders.allSatisfy({ try root.status(of: $0)?.isFolder == true }) else { return }
        for lock in StoreLayout.lockFiles {
            // Not O_EXCL: processes that need the file create it, too, and all must lock the same file.
            try look(for: lock) { _ = try root.open(lock, O_RDWR | O_CREAT, mode: 0o640) }
        }
    }
}
