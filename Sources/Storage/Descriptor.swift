import Glibc
import System
import SystemPackage

/// An open file or folder of a ``Kernel``, closed with the last reference.
///
/// Each method is one system call, or a loop over one. A failure is a ``StoreError`` that names the operation and the
/// file.
package final class Descriptor: Sendable {
    /// The descriptor's number, valid for the life of this object.
    package let rawValue: Int32
    package let kernel: any Kernel
    /// The file's name in errors: the path that an operator gave, or the path below that folder.
    package var name: String { nameStart.isEmpty ? path : nameStart + path }

    /// The path by which the file was opened.
    private let path: String
    /// The part of the name before the path. Joining them costs an allocation, and only errors need the name.
    private let nameStart: String
    /// The part of a name before the path, for files in this folder; empty if an operator gave the folder's path.
    private let nameStartBelow: String?

    /// Opens a folder by the path that an operator gave, following symbolic links.
    package init(folder path: String, _ kernel: any Kernel) throws {
        rawValue = try call("open \(path)") { try kernel.open(path, O_RDONLY | O_DIRECTORY) }
        self.kernel = kernel
        self.path = path
        nameStart = ""
        nameStartBelow = ""
    }

    private init(_ rawValue: Int32, _ name: Name, isFolder: Bool, _ kernel: any Kernel) {
        self.rawValue = rawValue
        self.kernel = kernel
        (nameStart, path) = name
        nameStartBelow = isFolder ? "\(name.start)\(name.path)/" : nil
    }

    deinit {
        kernel.close(rawValue)
    }

    /// A file's name in errors: the path by which it was opened, and the text before it.
    package typealias Name = (start: String, path: String)

    /// The part of a name before the path, for a file in this folder.
    private var start: String { nameStartBelow ?? "\(name)/" }

    /// The name of a file in this folder for errors.
    private func name(of path: String) -> String { start + path }

    private func calling<Value>(_ action: StaticString, _ work: () throws -> Value) throws -> Value {
        try call("\(action) \(name)", work)
    }

    // MARK: Opening

    /// Opens `path` relative to this folder, following no link in any part of it.
    ///
    /// - Parameter name: the file's name in errors; `nil` for its path.
    package func open(_ path: String, _ flags: Int32, mode: mode_t = 0, as name: Name? = nil) throws -> Descriptor {
        let name = name ?? (start, path)
        return Descriptor(
            try call("open \(name.start)\(name.path)") { try kernel.open(path, in: rawValue, flags, mode: mode) },
            name,
            isFolder: flags & O_DIRECTORY != 0,
            kernel
        )
    }

    /// As ``open(_:_:mode:as:)``; `nil` if nothing exists at the path.
    package func openIfThere(_ path: String, _ flags: Int32, mode: mode_t = 0) throws -> Descriptor? {
        do {
            let file = try kernel.open(path, in: rawValue, flags, mode: mode)
            return Descriptor(file, (start, path), isFolder: flags & O_DIRECTORY != 0, kernel)
        } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw StoreError(failed: "open \(name(of: path))", error)
        }
    }

    /// Whether something is at `path` that this user can open, following no link in any part of it.
    package func canOpen(_ path: String) throws -> Bool {
        do {
            // O_NONBLOCK for fifos.
            kernel.close(try kernel.open(path, in: rawValue, O_RDONLY | O_NONBLOCK, mode: 0))
            return true
        } catch {
            if error == .noSuchFileOrDirectory { return false }
            throw StoreError(failed: "open \(name(of: path))", error)
        }
    }

    /// Opens a folder below this one.
    package func openFolder(_ path: String) throws -> Descriptor { try open(path, O_RDONLY | O_DIRECTORY) }

    // MARK: Attributes

    /// The status of `path`, relative to this folder; `nil` if nothing exists there.
    ///
    /// - Parameter isFolderCertain: whether to throw if a parent of `path` is not a folder.
    package func status(of path: String, isFolderCertain: Bool = false) throws -> FileStatus? {
        do {
            return try kernel.status(of: path, in: rawValue)
        } catch {
            if error == .noSuchFileOrDirectory || error == .notDirectory && !isFolderCertain { return nil }
            throw StoreError(failed: "stat \(name(of: path))", error)
        }
    }

    /// The status of this open file.
    package func status() throws -> FileStatus { try calling("stat") { try kernel.status(of: rawValue) } }

    /// Sets this file's mtime, in seconds since 1970; `nil` sets it to now.
    package func setModified(_ seconds: Int?) throws {
        try calling("set the mtime of") { try kernel.setModified(rawValue, to: seconds) }
    }

    /// Changes the permissions of a path below this folder, never of a link's target.
    package func changeMode(of path: String, to mode: mode_t) throws {
        try call("chmod \(name(of: path))") { try kernel.changeMode(of: path, in: rawValue, to: mode) }
    }

    /// Changes the permissions of this open file.
    package func changeMode(to mode: mode_t) throws {
        try calling("chmod") { try kernel.changeMode(of: rawValue, to: mode) }
    }

    /// Changes the owner of a path below this folder, but not its group, and never of a link's target.
    package func changeOwner(of path: String, to owner: uid_t) throws {
        try call("chown \(name(of: path))") { try kernel.changeOwner(of: path, in: rawValue, to: owner) }
    }

    /// Changes the owner of this open file.
    package func changeOwner(to user: uid_t, group: gid_t) throws {
        try calling("change the owner of") { try kernel.changeOwner(of: rawValue, to: user, group: group) }
    }

    // MARK: Names

    /// Creates a folder; false if the name is already taken.
    @discardableResult
    package func makeFolder(_ path: String) throws -> Bool {
        try call("create folder \(name(of: path))", unless: [.fileExists]) {
            try kernel.makeFolder(path, in: rawValue, mode: 0o750)
        }
    }

    /// Links an open file to `path` below this folder; false if the name is already taken.
    package func link(_ file: Descriptor, to path: String) throws -> Bool {
        try call("link \(name(of: path))", unless: [.fileExists]) {
            try kernel.link(file.rawValue, to: path, in: rawValue)
        }
    }

    /// Renames `path` to `target` below this folder, or below `folder`, replacing an existing target.
    package func rename(_ path: String, to target: String, in folder: Descriptor? = nil) throws {
        let folder = folder ?? self
        try call("rename \(name(of: path)) to \(folder.name(of: target))") {
            try kernel.rename(path, in: rawValue, to: target, in: folder.rawValue)
        }
    }

    /// Deletes a file's name; false if there was none.
    @discardableResult
    package func unlink(_ path: String) throws -> Bool {
        try call("unlink \(name(of: path))", unless: [.noSuchFileOrDirectory]) {
            try kernel.unlink(path, in: rawValue)
        }
    }

    /// Deletes a folder; false if it did not exist, or was not empty.
    @discardableResult
    package func removeFolder(_ path: String) throws -> Bool {
        let answers: [Errno] = [.directoryNotEmpty, .fileExists, .noSuchFileOrDirectory, .notDirectory]
        return try call("remove folder \(name(of: path))", unless: answers) {
            try kernel.removeFolder(path, in: rawValue)
        }
    }

    /// The names in a folder below this one.
    package func entries(_ path: String) throws -> FolderEntries {
        let folder = try openFolder(path)
        return FolderEntries(try folder.calling("read folder") { try kernel.names(of: folder.rawValue) })
    }

    /// As ``entries(_:)``, for a folder that another process may just have deleted: empty if the path is gone, or is
    /// not a folder.
    ///
    /// If opening the folder fails but its name still exists, either the folder was created again or the file system is
    /// faulty. It is read again then, because the names in it must not be taken for deleted.
    ///
    /// - Parameter isHidden: whether something other than a folder may hide one, as a link does; if so, the error is
    ///   thrown.
    package func entriesIfThere(
        _ path: String,
        unless isHidden: (StoreError, FileStatus?) -> Bool = { _, _ in false }
    ) throws -> FolderEntries {
        for _ in 0..<8 {
            do {
                return try entries(path)
            } catch let error as StoreError {
                guard error.saysThatNoFolderIsThere else { throw error }
                let status = try status(of: path)
                if isHidden(error, status) { throw error }
                guard status?.isFolder == true else { return FolderEntries() }
            }
        }
        return try entries(path)
    }

    /// The names in a folder below this one, without those that are not UTF-8, which the store never uses.
    package func names(_ path: String) throws -> [String] { try entries(path).names }

    /// As ``entriesIfThere(_:unless:)``, without the names that are not UTF-8.
    package func namesIfThere(_ path: String) throws -> [String] { try entriesIfThere(path).names }

    // MARK: Content

    /// Reads at an offset into `buffer`. Returns the number of bytes read, zero at the end of the file.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        try calling("read") { try kernel.read(rawValue, into: buffer, at: offset) }
    }

    /// The first bytes of the file, at most `limit`. Repeats the read until the file ends, because one read may return
    /// fewer bytes than requested.
    package func head(limit: Int = 4096) throws -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: limit, alignment: 16)
        defer { buffer.deallocate() }
        var filled = 0
        while filled < limit {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try read(into: rest, at: UInt64(filled))
            if count == 0 { break }
            filled += count
        }
        return Array(buffer[..<filled])
    }

    /// Writes all of `bytes` at the file's end.
    package func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try write($0) }
    }

    /// Writes all of `bytes` at the file's end, with several calls if write(2) accepts only a part.
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = try calling("write") { try kernel.write(rawValue, rest) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Writes bytes at this file's end with a single write(2), which may write only a part of them.
    ///
    /// - Returns: how many were written.
    package func append(_ bytes: [UInt8]) throws -> Int {
        try calling("write") { try bytes.withUnsafeBytes { try kernel.write(rawValue, $0) } }
    }

    /// Writes bytes at an offset with a single pwrite(2), which may write only a part of them.
    ///
    /// - Returns: how many were written.
    package func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws -> Int {
        try calling("write") { try bytes.withUnsafeBytes { try kernel.write(rawValue, $0, at: UInt64(offset)) } }
    }

    /// Empties this file.
    package func truncate() throws { try calling("truncate") { try kernel.truncate(rawValue) } }

    // MARK: Durability

    /// Waits until this folder's names, or this file's content and attributes, are on disk (fsync(2)).
    package func synchronize() throws { try calling("fsync") { try kernel.synchronize(rawValue) } }

    /// Waits until this file's content is on disk (fdatasync(2)).
    package func synchronizeData() throws { try calling("fdatasync") { try kernel.synchronizeData(rawValue) } }

    /// Waits until the names in the folder at `path`, relative to this one, are on disk.
    package func synchronizeFolder(_ path: String) throws { try openFolder(path).synchronize() }

    /// Waits until everything on this file's file system is on disk (syncfs(2)).
    package func synchronizeFileSystem() throws {
        try calling("sync the file system of") { try kernel.synchronizeFileSystem(of: rawValue) }
    }

    // MARK: Space

    /// The size and the free space of the file system.
    package func space() throws -> FileSystemSpace {
        try calling("measure free space of") { try kernel.space(of: rawValue) }
    }
}

extension StoreError {
    /// Whether opening a folder failed because nothing has that name, or something other than a folder.
    package var saysThatNoFolderIsThere: Bool {
        let answers: [Errno] = [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels]
        return errno.map(answers.contains) ?? false
    }
}

/// The names in a folder, without `.` and `..`, in no order.
package struct FolderEntries {
    package let names: [String]
    /// The names that are not UTF-8, with U+FFFD in place of invalid bytes: for messages, useless as paths.
    package let notUTF8: [String]

    package init(_ bytes: [[UInt8]] = []) {
        names = bytes.compactMap { String(validating: $0, as: UTF8.self) }
        let others = names.count == bytes.count ? [] : bytes.filter { String(validating: $0, as: UTF8.self) == nil }
        notUTF8 = others.map { String(decoding: $0, as: UTF8.self) }
    }
}
