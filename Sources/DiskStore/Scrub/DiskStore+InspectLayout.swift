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
        for folder in StoreLayout.folders where try root.status(of: folder) == nil {
            let remedy = repair ? makeFolder(folder, root) : .none
            try report(Finding(.missing, folder, "is missing", remedy))
        }
        for folder in [StoreLayout.locks, StoreLayout.barriers] {
            guard try root.status(of: folder)?.isFolder == true else { return }
        }
        for lock in StoreLayout.lockFiles where try root.status(of: lock) == nil {
            let remedy = repair ? makeLock(lock, root) : .none
            try report(Finding(.missing, lock, "is missing", remedy))
        }
    }

    private static func makeFolder(_ folder: String, _ root: Descriptor) -> Finding.Remedy {
        do {
            try root.makeFolder(folder)
            try root.synchronize(".")
        } catch {
            return .failed(error)
        }
        // A worker holds the folder of uploads open, which is another one now.
        return .mended(folder == StoreLayout.incoming ? "made; restart the workers" : "made")
    }

    private static func makeLock(_ lock: String, _ root: Descriptor) -> Finding.Remedy {
        do {
            // Not O_EXCL: whoever needs it makes it, too, and all must lock the same file.
            _ = try root.open(lock, O_RDWR | O_CREAT, mode: 0o640)
            return .mended("made")
        } catch {
            return .failed(error)
        }
    }
}
