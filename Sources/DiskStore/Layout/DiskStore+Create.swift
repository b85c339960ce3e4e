import Glibc
import Storage
import System
import SystemPackage

extension DiskStore {
    /// Who may use a store that is made.
    public struct Access: Sendable {
        /// Who owns all of the store: the user and the group of nginx's worker processes.
        public struct Owner: Sendable, Equatable {
            /// The user's number.
            public let user: uid_t
            /// The group's number.
            public let group: gid_t

            /// Makes an owner of two numbers.
            public init(user: uid_t, group: gid_t) {
                self.user = user
                self.group = group
            }
        }

        /// The owner; `nil`: whoever makes the store.
        public var owner: Owner?
        /// The mode of the store's own folder, which decides who may enter any other; `nil`: 0750, less the umask, and of a folder
        /// that is there already, what it has of that.
        public var mode: mode_t?

        /// Makes access rights.
        public init(owner: Owner? = nil, mode: mode_t? = nil) {
            self.owner = owner
            self.mode = mode
        }
    }

    /// Makes an empty store at `path`, which must not exist, or be an empty folder (or file system), or what a creation
    /// that was cut off has left.
    ///
    /// `layout.json` is written last: a folder that has it has everything else.
    ///
    /// - Returns: whether it was made; `false` when there is a store already, which stays as it is.
    /// - Throws: ``StoreError`` naming the folder or file that could not be made, or what is there instead; also when
    ///   there is a store with other access rights than `access` asks for. What is there stays untouched.
    @discardableResult
    package static func create(
        at path: String,
        access: Access = Access(),
        kernel: any Kernel = LinuxKernel.shared
    ) throws -> Bool {
        let isNew = try call("make folder \(path)", unless: .fileExists) {
            try kernel.makeFolder(path, in: AT_FDCWD, mode: 0o750)
        }
        let root = try Descriptor(folder: path, kernel)
        // Empty, it is of a creation that was cut off.
        if let description = try root.status(of: StoreLayout.description), description.size > 0 {
            try StoreFormat.check(root, path)
            try check(access, of: root, path)
            return false
        }
        try checkNothingIsThere(root, path)
        try access.apply(to: root, path, isNew: isNew)
        for folder in StoreLayout.folders {
            let name = "\(path)/\(folder)"
            try root.makeFolder(folder)
            try access.applyOwner(to: root.open(folder, O_RDONLY | O_DIRECTORY), name)
        }
        do {
            try checkNames(of: root, path)
        } catch {
            removeFolders(of: root, isNew ? path : nil)
            throw error
        }
        for lock in StoreLayout.lockFiles {
            try access.applyOwner(to: root.open(lock, O_RDWR | O_CREAT, mode: 0o640), "\(path)/\(lock)")
        }
        let clock = try root.open(StoreLayout.clock, O_RDWR | O_CREAT, mode: 0o640)
        try access.applyOwner(to: clock, "\(path)/\(StoreLayout.clock)")
        try clock.synchronize(StoreLayout.clock)
        // Before there is a name by which it counts as a store.
        try root.synchronizeFolder(StoreLayout.locks)
        try root.synchronizeFolder(StoreLayout.barriers)
        try root.synchronize(path)
        do {
            try root.open("..", O_RDONLY | O_DIRECTORY).synchronize("the folder above \(path)")
        } catch {
            // The folder of someone who may not read the one above was made by someone else.
            guard error.errno == .permissionDenied, !isNew else { throw error }
        }
        try writeDescription(root, path, access)
        return true
    }

    /// Takes back what a creation has made so far, where it is empty.
    ///
    /// - Parameter path: the store's own folder, if that was made, too.
    private static func removeFolders(of root: Descriptor, _ path: String?) {
        // What can't be removed is what a creation that was cut off leaves.
        for folder in StoreLayout.folders { try? root.kernel.removeFolder(folder, in: root.rawValue) }
        if let path { try? root.kernel.removeFolder(path, in: AT_FDCWD) }
    }

    /// Anything but a store's folders without a file in them is someone else's.
    private static func checkNothingIsThere(_ root: Descriptor, _ path: String) throws {
        let ours =
            StoreLayout.folders + [
                StoreLayout.lostAndFound, StoreLayout.description, StoreLayout.newDescription, StoreLayout.clock,
            ]
        let entries = try root.entries(".")
        if let name = entries.notUTF8.first ?? entries.names.first(where: { !ours.contains($0) }) {
            throw StoreError(.system, "\(path) is not empty: it has '\(name)'")
        }
        let empty = StoreLayout.folders.filter { $0 != StoreLayout.locks && $0 != StoreLayout.barriers }
        for folder in empty where entries.names.contains(folder) {
            let files = try root.entries(folder)
            let others = files.names.first { folder != StoreLayout.keys || !StoreLayout.isNameProbe($0) }
            if let file = others ?? files.notUTF8.first {
                throw StoreError(.system, "\(path) is not empty: it has '\(folder)/\(file)'")
            }
        }
    }

    private static func check(_ access: Access, of root: Descriptor, _ path: String) throws {
        let status = try root.status(path)
        if let owner = access.owner, owner != Access.Owner(user: status.owner, group: status.group) {
            throw StoreError(
                .system,
                "store \(path) belongs to \(status.owner):\(status.group), not to \(owner.user):\(owner.group)"
            )
        }
        if let wanted = access.mode, wanted != status.mode {
            throw StoreError(
                .system,
                "store \(path) has mode 0\(String(status.mode, radix: 8)), not 0\(String(wanted, radix: 8))"
            )
        }
    }

    /// It is on disk before it has its name: no loss of power leaves another one.
    private static func writeDescription(_ root: Descriptor, _ path: String, _ access: Access) throws {
        let name = StoreLayout.newDescription
        let file = try root.open(name, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o640)
        try access.applyOwner(to: file, "\(path)/\(name)")
        try file.write(Array(StoreFormat.current.json.utf8), name)
        try file.synchronize(name)
        try root.rename(name, to: StoreLayout.description)
        try root.synchronize(path)
    }
}

extension DiskStore.Access {
    fileprivate func apply(to root: Descriptor, _ path: String, isNew: Bool) throws {
        try applyOwner(to: root, path)
        if let mode { return try root.changeMode(to: mode, path) }
        guard !isNew else { return }
        // As initdb(1) does it: mkdir(1) and mkfs(8) make folders that everybody may enter.
        let found = try root.status(path).mode
        let wanted = Permissions.folder.mended(found)
        if wanted != found { try root.changeMode(to: wanted, path) }
    }

    fileprivate func applyOwner(to file: Descriptor, _ path: String) throws {
        guard let owner else { return }
        try call("change the owner of \(path)") {
            try file.kernel.changeOwner(of: file.rawValue, to: owner.user, group: owner.group)
        }
    }
}
