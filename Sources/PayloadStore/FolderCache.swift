import Glibc
import Synchronization
import SystemPackage

/// The folders that this process commits to, each held open once the way down to it is known to be on disk.
///
/// A commit must sync the parents of a folder just made, also of one that another process made a moment ago and may not
/// have synced yet. So the first use of a folder by this process syncs all its parents, and later uses only make sure
/// that the path still leads to the same folder: an open folder's inode number is not given to another, so equal
/// identity is proof.
final class FolderCache: Sendable {
    /// The most folders to hold open: two for each shard of one namespace, and as much again for others; but never one
    /// of the files that the rest of the process may have to open, which would wait for it for ever.
    let capacity: Int
    private let root: Descriptor
    /// By the path's bytes: two namespaces may be equal as text.
    private let open: Mutex<[[UInt8]: Folder]> = Mutex([:])

    /// - Parameter otherFiles: the most files that the rest of the process has open at once.
    init(root: Descriptor, otherFiles: Int) {
        self.root = root
        var limit = rlimit()
        let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        capacity = isKnown ? min(1024, max(1, Int(clamping: limit.rlim_cur) - otherFiles)) : 64
    }

    struct Folder: Sendable {
        let path: String
        let descriptor: Descriptor
        let identity: FileStatus.Identity

        func synchronize() throws(StoreError) {
            try descriptor.synchronize(path)
        }
    }

    /// Opens a folder below the root, making what is missing of it.
    func folder(_ path: String) throws(StoreError) -> Folder {
        let name = Array(path.utf8)
        if let known = open.withLock({ $0[name] }), try root.status(of: path)?.identity == known.identity {
            return known
        }
        let folder = try openDurably(path)
        open.withLock { folders in
            // Which folder makes room hardly matters: its next use costs a few syncs.
            if folders.count >= capacity, let victim = folders.keys.first { folders[victim] = nil }
            folders[name] = folder
        }
        return folder
    }

    private func openDurably(_ path: String) throws(StoreError) -> Folder {
        // From folder to folder: a link in between would have them made elsewhere.
        var descriptor = root
        var parents: [Descriptor] = []
        func synchronizeParents() throws(StoreError) {
            for parent in parents.reversed() { try parent.synchronize("the folders above \(path)") }
            parents = []
        }
        for name in StoreLayout.names(in: path) {
            _ = try systemCall("make folder \(name) of \(path)", expecting: .fileExists) {
                mkdirat(descriptor.rawValue, name, 0o750)
            }
            parents.append(descriptor)
            // All at once costs one write to the journal; but a prefix may have 256 parts, and a thread not so many files.
            if parents.count == 8 { try synchronizeParents() }
            descriptor = try descriptor.open(name, O_RDONLY | O_DIRECTORY)
        }
        try synchronizeParents()
        return Folder(path: path, descriptor: descriptor, identity: try descriptor.status(path).identity)
    }
}
