import Storage
import Synchronization
import System

/// The folders that this process stores in, each held open once the path down to it is known to be on disk.
///
/// A commit must sync the parent of a new folder, even if another process created the folder a moment ago and may not
/// have synced it yet. So this process syncs a folder's parent when it first uses the folder, and later only checks
/// that the path still leads to the same folder: equal identity proves that, because the inode number of an open folder
/// is not reused. All levels of a path are cached, so that a new folder costs one sync of its parent.
final class FolderCache: Sendable {
    private typealias Folder = (descriptor: Descriptor, identity: FileStatus.Identity)

    /// The largest number of folders to hold open: two for each shard of one namespace, and as many for others, without
    /// taking files that the rest of the process may need.
    let capacity: Int
    private let root: Descriptor
    private let open: Mutex<RecentValues<Path, Folder>>

    /// A path compared by its bytes, because two different namespaces may be equal as strings.
    private struct Path: Hashable {
        let text: String

        static func == (one: Path, other: Path) -> Bool {
            one.text.utf8.count == other.text.utf8.count && one.text.utf8.elementsEqual(other.text.utf8)
        }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    /// - Parameter otherFiles: the largest number of files that the rest of the process opens at once.
    init(root: Descriptor, otherFiles: Int) {
        self.root = root
        capacity = root.kernel.openFileLimit().map { min(1024, max(1, $0 - otherFiles)) } ?? 64
        open = Mutex(RecentValues(capacity: capacity))
    }

    /// Opens a folder below the root, and creates it and its parents if they are missing.
    func folder(_ path: String) throws -> Descriptor {
        let name = Path(text: path)
        if let known = open.withLock({ $0[name] }), try root.status(of: path)?.identity == known.identity {
            return known.descriptor
        }
        let folder = try openDurably(path)
        open.withLock { $0[name] = folder }
        return folder.descriptor
    }

    private func openDurably(_ path: String) throws -> Folder {
        // Opened level by level, because a link on the path would create folders elsewhere.
        let (parentPath, name) = StoreLayout.parent(of: path)
        let parent = try parentPath.map(folder) ?? root
        try parent.makeFolder(name)
        // Opened before the sync: if another process deletes the folder and creates it again, the open one no longer
        // accepts names, so nothing is stored in an unsynced folder.
        let descriptor = try parent.openFolder(name)
        try parent.synchronize()
        return (descriptor, try descriptor.status().identity)
    }
}
