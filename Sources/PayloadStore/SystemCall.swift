import Glibc
import SystemPackage

/// Calls the system, and turns a result below zero into a ``StoreError`` that says what was being done.
///
/// `errno` is read before anything else can change it. A call that a signal interrupted is made again; `close` is the
/// one that must not be (close(2)), and does not come through here.
@discardableResult
func systemCall(_ action: @autoclosure () -> String, _ call: () -> Int32) throws(StoreError) -> Int32 {
    Int32(try countingSystemCall(action()) { Int(call()) })
}

/// ``systemCall(_:_:)`` for calls that return a number of bytes.
@discardableResult
func countingSystemCall(_ action: @autoclosure () -> String, _ call: () -> Int) throws(StoreError) -> Int {
    while true {
        let result = call()
        if result >= 0 { return result }
        let error = Errno(rawValue: errno)
        if error == .interrupted { continue }
        let full = error == .noSpace || error == .diskQuotaExceeded
        throw StoreError(full ? .noSpace : .system, action(), errno: error)
    }
}

/// As ``systemCall(_:_:)``, for a call whose failure with one of `expected` is an answer: returns that errno, `nil` on
/// success.
func systemCall(
    _ action: @autoclosure () -> String,
    expecting expected: Errno...,
    call: () -> Int32
) throws(StoreError) -> Errno? {
    do {
        try systemCall(action(), call)
        return nil
    } catch {
        if let errno = error.errno, expected.contains(errno) { return errno }
        throw error
    }
}

/// An open file or folder, closed with the last reference.
///
/// The number never changes, and every use of it here is a system call that may run beside others: hence `Sendable`.
public final class Descriptor: Sendable {
    /// The descriptor's number; valid while this object lives.
    public let rawValue: Int32

    init(_ rawValue: Int32) {
        self.rawValue = rawValue
    }

    deinit {
        close(rawValue)
    }

    /// Opens `path` relative to this folder, never following a link as its last part.
    func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(StoreError) -> Descriptor {
        Descriptor(
            try systemCall("open \(path)") {
                openat(rawValue, path, flags | O_NOFOLLOW | O_CLOEXEC, mode)
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
}

/// The part of stat(2)'s answer that the store decides by.
struct FileStatus: Equatable {
    /// Which file it is: two names with equal identities are one file.
    struct Identity: Equatable {
        let device: UInt64
        let inode: UInt64
    }

    let identity: Identity
    let isRegular: Bool
    let isFolder: Bool
    /// How many names the file has; none when the last one is gone and only an open descriptor keeps it.
    let links: UInt64
    /// Bytes.
    let size: UInt64
    /// Seconds since 1970.
    let modified: Int

    init(_ status: stat) {
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        isRegular = status.st_mode & S_IFMT == S_IFREG
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        links = UInt64(status.st_nlink)
        size = UInt64(max(0, status.st_size))
        modified = status.st_mtim.tv_sec
    }
}
