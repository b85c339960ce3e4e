import Glibc
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
    /// The most folders to hold open: two for each shard of one namespace, and as many for others; but none of the files
    /// that the rest of the process may have to open.
    let capacity: Int
    private let root: Descriptor
    /// By the path's bytes: two namespaces may be equal as text.
    private let open = Mutex((young: [[UInt8]: Folder](), old: [[UInt8]: Folder]()))

    /// - Parameter otherFiles: the most files that the rest of the process has open at once.
    init(root: Descriptor, otherFiles: Int) {
        self.root = root
        capacity = root.kernel.openFileLimit().map { min(1024, max(1, $0 - otherFiles)) } ?? 64
    }

    struct Folder: Sendable {
        let path: String
        let descriptor: Descriptor
        let identity: FileStatus.Identity

        func synchronize() throws {
            try descriptor.synchronize(path)
        }
    }

    /// Opens a folder below the root, making it and those above it where they are missing.
    func folder(_ path: String) throws -> Folder {
        let name = Array(path.utf8)
        if let known = find(name), try root.status(of: path)?.identity == known.identity {
            return known
        }
        let folder = try openDurably(path)
        remember(folder, name)
        return folder
    }

    /// What is used stays, whatever else comes and goes: the old ones are dropped together when there are as many young.
    private func find(_ name: [UInt8]) -> Folder? {
        open.withLock { folders in
            if let young = folders.young[name] { return young }
            guard let old = folders.old.removeValue(forKey: name) else { return nil }
            insert(old, name, &folders)
            return old
        }
    }

    private func remember(_ folder: Folder, _ name: [UInt8]) {
        open.withLock { folders in
            folders.old[name] = nil
            insert(folder, name, &folders)
        }
    }

    private func insert(
        _ folder: Folder,
        _ name: [UInt8],
        _ folders: inout (young: [[UInt8]: Folder], old: [[UInt8]: Folder])
    ) {
        if folders.young.count >= max(1, capacity / 2), folders.young[name] == nil {
            folders.old = folders.young
            folders.young = [:]
        }
        folders.young[name] = folder
    }

    private func openDurably(_ path: String) throws -> Folder {
        // From folder to folder: a link in between would have them made elsewhere.
        let (parentPath, name) = StoreLayout.parent(of: path)
        let parent: Descriptor
        if let parentPath { parent = try folder(parentPath).descriptor } else { parent = root }
        do {
            try parent.makeFolder(name)
            // Opened first: should it be removed and made again by others, what is synced is not what is open, which then
            // takes no more names.
            let descriptor = try parent.open(name, O_RDONLY | O_DIRECTORY)
            try parent.synchronize("the folder above \(path)")
            return Folder(path: path, descriptor: descriptor, identity: try descriptor.status(path).identity)
        } catch {
            throw StoreError(error.code, "\(error.action), of \(path)", errno: error.errno)
        }
    }
}
