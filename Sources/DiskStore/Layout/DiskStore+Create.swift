import Glibc
import Storage
import System

extension DiskStore {
    /// The owner of a whole store: the user and the group of nginx's worker processes.
    public typealias Owner = (user: uid_t, group: gid_t)

    /// Creates an empty store at `path`, which must not exist, or be an empty folder (or file system), or hold the
    /// remains of an interrupted creation.
    ///
    /// `layout.json` is written last: a folder that contains it contains everything else.
    ///
    /// - Parameters:
    ///   - owner: the store's owner; `nil` for the user who creates it.
    ///   - mode: the mode of the store's root, which decides who may enter any folder in it. `nil` for 0750 minus the
    ///     umask; an existing folder then keeps those of its permissions that 0750 allows.
    /// - Returns: whether a store was created; `false` if one existed already, which stays unchanged.
    /// - Throws: ``StoreError`` that names the folder or file that could not be created, or that is in the way; also if
    ///   a store exists whose owner or mode differs from the request. Existing files stay unchanged.
    @discardableResult
    package static func create(
        at path: String,
        owner: Owner? = nil,
        mode: mode_t? = nil,
        kernel: any Kernel = LinuxKernel.shared
    ) throws -> Bool {
        let access = Access(owner: owner, mode: mode)
        let isNew = try call("create folder \(path)", unless: [.fileExists]) {
            try kernel.makeFolder(path, in: AT_FDCWD, mode: 0o750)
        }
        let root = try Descriptor(folder: path, kernel)
        // An empty one is from an interrupted creation.
        if let description = try root.status(of: StoreLayout.description), description.size > 0 {
            try StoreFormat.check(root, path)
            try access.check(root)
            return false
        }
        try checkNothingIsThere(root)
        try access.apply(to: root, isNew: isNew)
        for folder in StoreLayout.folders {
            try root.makeFolder(folder)
            try access.applyOwner(to: root.openFolder(folder))
        }
        do {
            try checkNames(of: root, path)
        } catch {
            removeFolders(of: root, isNew ? path : nil)
            throw error
        }
        for lock in StoreLayout.lockFiles {
            try access.applyOwner(to: root.open(lock, O_RDWR | O_CREAT, mode: 0o640))
        }
        let clock = try root.open(StoreLayout.clock, O_RDWR | O_CREAT, mode: 0o640)
        try access.applyOwner(to: clock)
        try clock.synchronize()
        // Synced before the file that makes this folder a store.
        for folder in StoreLayout.lockFolders { try root.synchronizeFolder(folder) }
        try root.synchronize()
        do {
            try root.open("..", O_RDONLY | O_DIRECTORY, as: ("the folder above ", path)).synchronize()
        } catch let error as StoreError where error.errno == .permissionDenied && !isNew {
            // A user who may not read the parent folder did not create the store's folder in it.
        }
        try writeDescription(root, access)
        return true
    }

    /// Deletes the empty folders that a failed creation made.
    ///
    /// - Parameter path: the store's root, if this creation made it.
    private static func removeFolders(of root: Descriptor, _ path: String?) {
        // Folders that can't be deleted look like an interrupted creation, which 'lps init' can complete.
        for folder in StoreLayout.folders { _ = try? root.removeFolder(folder) }
        if let path { try? root.kernel.removeFolder(path, in: AT_FDCWD) }
    }

    /// Checks that the folder contains nothing but the empty folders of a store; other files belong to somebody else.
    private static func checkNothingIsThere(_ root: Descriptor) throws {
        let ours =
            StoreLayout.folders + [
                StoreLayout.lostAndFound, StoreLayout.description, StoreLayout.newDescription, StoreLayout.clock,
            ]
        let entries = try root.entries(".")
        var others = entries.notUTF8 + entries.names.filter { !ours.contains($0) }
        for folder in StoreLayout.folders where !StoreLayout.lockFolders.contains(folder) {
            guard others.isEmpty, entries.names.contains(folder) else { continue }
            let files = try root.entries(folder)
            let strays = files.names.filter { folder != StoreLayout.keys || !StoreLayout.isNameProbe($0) }
            others = (strays + files.notUTF8).map { "\(folder)/\($0)" }
        }
        if let name = others.first { throw StoreError(.system, "\(root.name) is not empty: it contains '\(name)'") }
    }

    /// Writes `layout.json`, and renames it once it is on disk, so that a power loss leaves no partial file.
    private static func writeDescription(_ root: Descriptor, _ access: Access) throws {
        let name = StoreLayout.newDescription
        let file = try root.open(name, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o640)
        try access.applyOwner(to: file)
        try file.write(Array(StoreFormat.current.json.utf8))
        try file.synchronize()
        try root.rename(name, to: StoreLayout.description)
        try root.synchronize()
    }
}

/// The access rights of a store: its owner and mode.
private struct Access {
    let owner: DiskStore.Owner?
    let mode: mode_t?

    /// Checks that an existing store has these rights.
    func check(_ root: Descriptor) throws {
        let status = try root.status()
        if let owner, owner != (status.owner, status.group) {
            let message = "belongs to \(status.owner):\(status.group), not to \(owner.user):\(owner.group)"
            throw StoreError(.system, "store \(root.name) \(message)")
        }
        if let mode, mode != status.mode {
            throw StoreError(.system, "store \(root.name) has mode \(status.mode.octal), not \(mode.octal)")
        }
    }

    func apply(to root: Descriptor, isNew: Bool) throws {
        try applyOwner(to: root)
        if let mode { return try root.changeMode(to: mode) }
        guard !isNew else { return }
        // Restricted as initdb(1) does: folders made by mkdir(1) and mkfs(8) can be entered by everybody.
        let found = try root.status().mode
        let wanted = Permissions.folder.mended(found)
        if wanted != found { try root.changeMode(to: wanted) }
    }

    func applyOwner(to file: Descriptor) throws {
        if let owner { try file.changeOwner(to: owner.user, group: owner.group) }
    }
}
