import CLinux
import Glibc
import SystemPackage

/// An open file or folder, closed with the last reference.
///
/// The number never changes, and every use of it here is a system call that may run beside others: hence `Sendable`.
final class Descriptor: Sendable {
    /// The descriptor's number; valid while this object lives.
    let rawValue: Int32

    init(_ rawValue: Int32) {
        self.rawValue = rawValue
    }

    deinit {
        close(rawValue)
    }

    /// Opens `path` relative to this folder, following no link in any part of it.
    func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(StoreError) -> Descriptor {
        Descriptor(
            try systemCall("open \(path)") {
                open_following_no_link(rawValue, path, flags | O_NOFOLLOW | O_CLOEXEC, mode)
            }
        )
    }

    /// What `path` is, relative to this folder; `nil` when there is nothing.
    func status(of path: String) throws(StoreError) -> FileStatus? {
        var status = stat()
        let absent = try systemCall("stat \(path)", expecting: .noSuchFileOrDirectory, .notDirectory) {
            fstatat(rawValue, path, &status, AT_SYMLINK_NOFOLLOW)
        }
        return absent == nil ? FileStatus(status) : nil
    }

    /// What this open file is.
    func status(_ name: @autoclosure () -> String) throws(StoreError) -> FileStatus {
        var status = stat()
        try systemCall("stat \(name())") { fstat(rawValue, &status) }
        return FileStatus(status)
    }

    /// Waits until this folder's names, or this file's content and attributes, are on disk (fsync(2)).
    func synchronize(_ name: @autoclosure () -> String) throws(StoreError) {
        try systemCall("fsync \(name())") { fsync(rawValue) }
    }

    /// Waits until the names in the folder at `path`, relative to this one, are on disk.
    func synchronizeFolder(_ path: String) throws(StoreError) {
        try open(path, O_RDONLY | O_DIRECTORY).synchronize(path)
    }
}

/// The names in a folder, without `.` and `..`, in no order.
struct FolderEntries {
    private(set) var names: [String] = []
    /// Those that are not UTF-8, as text that leads to no file: U+FFFD stands for what is none.
    private(set) var notUTF8: [String] = []

    var isEmpty: Bool { names.isEmpty && notUTF8.isEmpty }

    fileprivate mutating func add(_ name: UnsafePointer<CChar>) {
        guard let text = String(validatingCString: name) else { return notUTF8.append(String(cString: name)) }
        if text != ".", text != ".." { names.append(text) }
    }
}

extension Descriptor {
    /// The names in a folder below this one, in no order; those that are not UTF-8, which nothing of the store is called,
    /// are left out.
    func names(_ path: String) throws(StoreError) -> [String] {
        try entries(path).names
    }

    /// The names in a folder below this one.
    func entries(_ path: String) throws(StoreError) -> FolderEntries {
        let descriptor = try systemCall("open folder \(path)") {
            open_following_no_link(rawValue, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
        }
        guard let stream = fdopendir(descriptor) else {
            let error = Errno(rawValue: errno)
            close(descriptor)
            throw StoreError(.system, "read folder \(path)", errno: error)
        }
        defer { closedir(stream) }
        var entries = FolderEntries()
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                let error = Errno(rawValue: errno)
                guard error.rawValue == 0 else { throw StoreError(.system, "read folder \(path)", errno: error) }
                return entries
            }
            withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { entries.add($0) }
            }
        }
    }

    /// The first bytes of a file, as many as there are, at most `limit`; pread(2) may give less than it is asked for.
    func head(_ name: @autoclosure () -> String, limit: Int = 4096) throws(StoreError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: limit, alignment: 16)
        defer { buffer.deallocate() }
        var filled = 0
        while filled < limit {
            let count = try countingSystemCall("read \(name())") {
                pread(rawValue, buffer.baseAddress?.advanced(by: filled), limit - filled, off_t(filled))
            }
            if count == 0 { break }
            filled += count
        }
        return Array(buffer[..<filled])
    }

    /// Writes all of `bytes` at the file's end.
    func write(_ bytes: [UInt8], _ name: String) throws(StoreError) {
        do {
            try bytes.withUnsafeBytes { try write($0, name) }
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.system, "write \(name): \(error)")
        }
    }

    /// Writes all of `bytes` at the file's end; write(2) may take less than it is given.
    func write(_ bytes: UnsafeRawBufferPointer, _ name: @autoclosure () -> String) throws(StoreError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = try countingSystemCall("write \(name())") {
                Glibc.write(rawValue, rest.baseAddress, rest.count)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
