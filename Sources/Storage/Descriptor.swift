import Glibc
import System
import SystemPackage

/// An open file or folder of a ``Kernel``, closed with the last reference.
///
/// Each method is one system call, or a loop over one. A failure is a ``StoreError`` that says what was being done.
package final class Descriptor: Sendable {
    /// The descriptor's number; valid while this object lives.
    package let rawValue: Int32
    package let kernel: any Kernel

    package init(_ rawValue: Int32, _ kernel: any Kernel) {
        self.rawValue = rawValue
        self.kernel = kernel
    }

    /// Opens a folder that an operator named, following symbolic links.
    package convenience init(folder path: String, _ kernel: any Kernel) throws {
        self.init(
            try call("open \(path)") { try kernel.open(path, O_RDONLY | O_DIRECTORY) },
            kernel
        )
    }

    deinit {
        kernel.close(rawValue)
    }

    /// Opens `path` relative to this folder, following no link in any part of it.
    package func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws -> Descriptor {
        Descriptor(
            try call("open \(path)") { try kernel.open(path, in: rawValue, flags, mode: mode) },
            kernel
        )
    }

    /// As ``open(_:_:mode:)``; `nil` when there is nothing.
    package func openIfThere(_ path: String, _ flags: Int32, mode: mode_t = 0) throws -> Descriptor? {
        do {
            return try open(path, flags, mode: mode)
        } catch let error as StoreError where error.errno == .noSuchFileOrDirectory {
            return nil
        }
    }

    // MARK: Attributes

    /// What `path` is, relative to this folder; `nil` when there is nothing.
    package func status(of path: String) throws -> FileStatus? {
        do {
            return try kernel.status(of: path, in: rawValue)
        } catch {
            if error == .noSuchFileOrDirectory || error == .notDirectory { return nil }
            throw StoreError(failed: "stat \(path)", error)
        }
    }

    /// What this open file is.
    package func status(_ name: @autoclosure () -> String) throws -> FileStatus {
        try call("stat \(name())") { try kernel.status(of: rawValue) }
    }

    /// Sets this file's mtime, in seconds since 1970; `nil`: to now.
    package func setModified(_ seconds: Int?, _ name: @autoclosure () -> String) throws {
        try call("set the time of \(name())") { try kernel.setModified(rawValue, to: seconds) }
    }

    /// Changes the permissions of something below this folder, never of what a link leads to.
    package func changeMode(of path: String, to mode: mode_t) throws {
        try call("chmod \(path)") { try kernel.changeMode(of: path, in: rawValue, to: mode) }
    }

    /// Changes the permissions of this open file.
    package func changeMode(to mode: mode_t, _ name: @autoclosure () -> String) throws {
        try call("chmod \(name())") { try kernel.changeMode(of: rawValue, to: mode) }
    }

    /// Changes the owner of something below this folder, but not its group, never of what a link leads to.
    package func changeOwner(of path: String, to owner: uid_t) throws {
        try call("chown \(path)") { try kernel.changeOwner(of: path, in: rawValue, to: owner) }
    }

    // MARK: Names

    /// Creates a folder; false when something has that name already.
    @discardableResult
    package func makeFolder(_ path: String) throws -> Bool {
        try call("make folder \(path)", unless: .fileExists) { try kernel.makeFolder(path, in: rawValue, mode: 0o750) }
    }

    /// Gives an open file the name `path` below this folder; false when something has that name already.
    package func link(_ file: Descriptor, to path: String) throws -> Bool {
        try call("link \(path)", unless: .fileExists) { try kernel.link(file.rawValue, to: path, in: rawValue) }
    }

    /// Renames `path` to `target` below this folder, or below `folder`, replacing what has that name.
    package func rename(_ path: String, to target: String, in folder: Descriptor? = nil) throws {
        try call("rename \(path) to \(target)") {
            try kernel.rename(path, in: rawValue, to: target, in: (folder ?? self).rawValue)
        }
    }

    /// Removes a file's name; false when there was none.
    @discardableResult
    package func unlink(_ path: String) throws -> Bool {
        try call("unlink \(path)", unless: .noSuchFileOrDirectory) { try kernel.unlink(path, in: rawValue) }
    }

    /// Removes a folder; false when it was not there, or not empty.
    @discardableResult
    package func removeFolder(_ path: String) throws -> Bool {
        try call(
            "remove folder \(path)",
            unless: .directoryNotEmpty,
            .fileExists,
            .noSuchFileOrDirectory,
            .notDirectory
        ) { try kernel.removeFolder(path, in: rawValue) }
    }

    /// The names in a folder below this one.
    package func entries(_ path: String) throws -> FolderEntries {
        let folder = try open(path, O_RDONLY | O_DIRECTORY)
        return FolderEntries(
            try call("read folder \(path)") { try kernel.names(of: folder.rawValue) }
        )
    }

    /// ``entries(_:)`` of a folder that another process may just have removed: none then, nor in what is no folder.
    ///
    /// A folder that the file system denies, and that has its name all the same, was made again, or the file system is wrong:
    /// it is read again, since what is named in it must not be taken for gone.
    package func entriesIfThere(_ path: String) throws -> FolderEntries {
        for _ in 0..<8 {
            do {
                return try entries(path)
            } catch let error as StoreError {
                let answers: [Errno] = [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels]
                guard let errno = error.errno, answers.contains(errno) else { throw error }
                guard try status(of: path)?.isFolder == true else { return FolderEntries() }
            }
        }
        return try entries(path)
    }

    /// The names in a folder below this one; those that are not UTF-8, which the store never uses, are left out.
    package func names(_ path: String) throws -> [String] { try entries(path).names }

    /// As ``entriesIfThere(_:)``, without the names that are not UTF-8.
    package func namesIfThere(_ path: String) throws -> [String] { try entriesIfThere(path).names }

    // MARK: Content

    /// Reads at an offset into a part of the file; zero bytes at its end.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64,
        _ name: @autoclosure () -> String
    ) throws -> Int {
        try call("read \(name())") { try kernel.read(rawValue, into: buffer, at: offset) }
    }

    /// The first bytes of a file, as many as there are, at most `limit`; a read may give less than it is asked for.
    package func head(_ name: @autoclosure () -> String, limit: Int = 4096) throws -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: limit, alignment: 16)
        defer { buffer.deallocate() }
        var filled = 0
        while filled < limit {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try read(into: rest, at: UInt64(filled), name())
            if count == 0 { break }
            filled += count
        }
        return Array(buffer[..<filled])
    }

    /// Writes all of `bytes` at the file's end.
    package func write(_ bytes: [UInt8], _ name: @autoclosure () -> String) throws {
        try bytes.withUnsafeBytes { try write($0, name()) }
    }

    /// Writes all of `bytes` at the file's end; write(2) may take less than it is given.
    package func write(_ bytes: UnsafeRawBufferPointer, _ name: @autoclosure () -> String) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = try call("write \(name())") { try kernel.write(rawValue, rest) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Writes bytes at this file's end with a single write(2), perhaps not all of them.
    ///
    /// - Returns: how many were written.
    package func append(_ bytes: [UInt8], _ name: @autoclosure () -> String) throws -> Int {
        try call("write \(name())") { try bytes.withUnsafeBytes { try kernel.write(rawValue, $0) } }
    }

    /// Writes bytes at an offset, perhaps not all of them.
    ///
    /// - Returns: how many were written.
    package func write(_ bytes: ArraySlice<UInt8>, at offset: Int, _ name: @autoclosure () -> String) throws -> Int {
        try call("write \(name())") {
            try bytes.withUnsafeBytes { try kernel.write(rawValue, $0, at: UInt64(offset)) }
        }
    }

    /// Empties this file.
    package func truncate(_ name: @autoclosure () -> String) throws {
        try call("truncate \(name())") { try kernel.truncate(rawValue) }
    }

    // MARK: Durability

    /// Waits until this folder's names, or this file's content and attributes, are on disk (fsync(2)).
    package func synchronize(_ name: @autoclosure () -> String) throws {
        try call("fsync \(name())") { try kernel.synchronize(rawValue) }
    }

    /// Waits until this file's content is on disk (fdatasync(2)).
    package func synchronizeData(_ name: @autoclosure () -> String) throws {
        try call("fdatasync \(name())") { try kernel.synchronizeData(rawValue) }
    }

    /// Waits until the names in the folder at `path`, relative to this one, are on disk.
    package func synchronizeFolder(_ path: String) throws {
        try open(path, O_RDONLY | O_DIRECTORY).synchronize(path)
    }

    // MARK: Space

    /// The size of the file system and what is free of it.
    package func space(_ name: @autoclosure () -> String) throws -> FileSystemSpace {
        try call("measure free space of \(name())") { try kernel.space(of: rawValue) }
    }
}

/// The names in a folder, without `.` and `..`, in no order.
package struct FolderEntries {
    package private(set) var names: [String] = []
    /// Those that are not UTF-8, as text that leads to no file: U+FFFD stands for what is none.
    package private(set) var notUTF8: [String] = []

    package var isEmpty: Bool { names.isEmpty && notUTF8.isEmpty }

    package init(_ names: [[UInt8]] = []) {
        self.names.reserveCapacity(names.count)
        for name in names {
            if let text = String(validating: name, as: UTF8.self) {
                self.names.append(text)
            } else {
                notUTF8.append(String(decoding: name, as: UTF8.self))
            }
        }
    }
}
