import Storage
import Synchronization
import System

/// The folders that this process stores in, each held open once it is known that the way down to it is on disk.
///
/// A commit must sync the parent of a folder that was just made, also when another process made it a moment ago and may
/// not have synced it yet. So the first use of a folder by this process syncs its parent, and later uses only make sure
/// that the path still leads to the same folder: the inode number of an open folder is not given to another, so equal
/// identity is proof. Every level is remembered, so that a new folder costs one sync of its parent.
final class FolderCache: Sendable {
    private typealias Folder = (descriptor: Descriptor, identity: FileStatus.Identity)

    /// The most folders to hold open: two for each shard of one namespace, and as many for others; but none of the files
    /// that the rest of the process may have to open.
    let capacity: Int
    private let root: Descriptor
    /// By the path's bytes: two namespaces may be equal as text.
    private let open: Mutex<RecentValues<[UInt8], Folder>>

    /// - Parameter otherFiles: the most files that the rest of the process has open at once.
    init(root: Descriptor, otherFiles: Int) {
        self.root = root
        capacity = root.kernel.openFileLimit().map { min(1024, max(1, $0 - otherFiles)) } ?? 64
        open = Mutex(RecentValues(capacity: capacity))
    }

    /// Opens a folder below the root, making it and those above it where they are missing.
    func folder(_ path: String) throws -> Descriptor {
        let name = Array(path.utf8)
        if let known = open.withLock({ $0[name] }), try root.status(of: path)?.identity == known.identity {
            return known.descriptor
        }
        let folder = try openDurably(path)
        open.withLock { $0[name] = folder }
        return folder.descriptor
    }

    private func openDurably(_ path: String) throws -> Folder {
        // From folder to folder: a link in between would have them made elsewhere.
        let (parentPath, name) = StoreLayout.parent(of: path)
        let parent = try parentPath.map(folder) ?? root
        try parent.makeFolder(name)
        // Opened first: should it be removed and made again by others, what is synced is not what is open, which then
        // takes no more names.
        let descriptor = try parent.openFolder(name)
        try parent.synchronize()
        return (descriptor, try descriptor.status().identity)
    }
}
