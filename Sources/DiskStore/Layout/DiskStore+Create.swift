import Glibc
import Storage
import System

extension DiskStore {
    /// Who owns all of a store: the user and the group of nginx's worker processes.
    public typealias Owner = (user: uid_t, group: gid_t)

    /// Makes an empty store at `path`, which must not exist, or be an empty folder (or file system), or what a creation
    /// that was cut off has left.
    ///
    /// `layout.json` is written last: a folder that has it has everything else.
    ///
    /// - Parameters:
    ///   - owner: `nil`: whoever makes the store.
    ///   - mode: of the store's own folder, which decides who may enter any other; `nil`: 0750, less the umask, and of a
    ///     folder that is there already, what it has of that.
    /// - Returns: whether it was made; `false` when there is a store already, which stays as it is.
    /// - Throws: ``StoreError`` naming the folder or file that could not be made, or what is there instead; also when
    ///   there is a store with other access rights than are asked for. What is there stays untouched.
    @discardableResult
    package static func create(
        at path: String,
        owner: Owner? = nil,
        mode: mode_t? = nil,
        kernel: any Kernel = LinuxKernel.shared
    ) throws -> Bool {
        let access = Access(owner: owner, mode: mode)
        let isNew = try call("make folder \(path)", unless: [.fileExists]) {
            try kernel.makeFolder(path, in: AT_FDCWD, mode: 0o750)
        }
        let root = try Descriptor(folder: path, kernel)
        // Empty, it is of a creation that was cut off.
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
        // Before there is a name by which it counts as a store.
        for folder in StoreLayout.lockFolders { try root.synchronizeFolder(folder) }
        try root.synchronize()
        do {
            try root.open("..", O_RDONLY | O_DIRECTORY, as: "the folder above \(path)").synchronize()
        } catch let error as StoreError where error.errno == .permissionDenied && !isNew {
            // The folder of someone who may not read the one above was made by someone else.
        }
        try writeDescription(root, access)
        return true
    }

    /// Takes back what a creation has made so far, where it is empty.
    ///
    /// - Parameter path: the store's own folder, if that was made, too.
    private static func removeFolders(of root: Descriptor, _ path: String?) {
        // What can't be removed is what a creation that was cut off leaves.
        for folder in StoreLayout.folders { _ = try? root.removeFolder(folder) }
        if let path { try? root.kernel.removeFolder(path, in: AT_FDCWD) }
    }

    /// Anything but a store's folders without a file in them is someone else's.
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
        if let name = others.first { throw StoreError(.system, "\(root.name) is not empty: it has '\(name)'") }
    }

    /// It is on disk before it has its name: no loss of power leaves another one.
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

/// Who may use a store.
private struct Access {
    let owner: DiskStore.Owner?
    let mode: mode_t?

    /// Makes sure that a store that is there has these rights.
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
        // As initdb(1) does it: mkdir(1) and mkfs(8) make folders that everybody may enter.
        let found = try root.status().mode
        let wanted = Permissions.folder.mended(found)
        if wanted != found { try root.changeMode(to: wanted) }
    }

    func applyOwner(to file: Descriptor) throws {
        if let owner { try file.changeOwner(to: owner.user, group: owner.group) }
    }
}
