import Glibc
import Storage
import System

extension DiskStore {
    /// Looks for the folders and lock files that every store has. A store that lacks a folder can't be opened, so this
    /// comes first.
    ///
    /// - Parameters:
    ///   - path: the store's root. It must have its `layout.json`: an empty folder, as that of a disk that is not
    ///     mounted, must not become a store.
    ///   - repair: make what is missing, as ``create(at:)`` does.
    ///   - report: called with each finding, when it is mended.
    /// - Throws: ``StoreError`` with code `missing` or `unknownFormat` when it is no store, or what `report` throws.
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
                    // A worker holds the folder of uploads open, which is another one now.
                    return path == StoreLayout.incoming ? "made; restart the workers" : "made"
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
            // Not O_EXCL: whoever needs it makes it, too, and all must lock the same file.
            try look(for: lock) { _ = try root.open(lock, O_RDWR | O_CREAT, mode: 0o640) }
        }
    }
}
