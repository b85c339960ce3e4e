import Glibc
import SystemPackage

/// A failure of the store: its kind, the operation and the file.
public struct StoreError: Error, Sendable {
    /// The kinds of failure that callers distinguish.
    public enum Code: Sendable {
        /// No store exists at the given path.
        case missing
        /// The folder is not a store, or has a format that this version does not know.
        case unknownFormat
        /// A folder of the store is not writable.
        case notWritable
        /// `incoming/` can't link into `objects/`: they are on different file systems.
        case spansFileSystems
        /// The file system lacks syncs, locks or hard links, or changes names.
        case unsupportedFileSystem
        /// The file system or the user's quota is full (ENOSPC, EDQUOT), or the upload would touch the reserve.
        case noSpace
        /// The upload would exceed the namespace's quota.
        case quotaExceeded
        /// The namespace's keys are being counted; it accepts no new keys until its usage is known.
        case counting
        /// The web server named an unacceptable upload file.
        case uploadNotAcceptable
        /// The upload's file no longer exists: the web server deletes it when its client disconnects.
        case uploadGone
        /// A file of the tree can't be opened: this user may not, or the disk fails.
        case unreadable
        /// A file of the tree has the wrong type or content.
        case damaged
        /// The payload was deleted while it was being served.
        case vanished
        /// Another process has held a lock of the store for longer than this one may wait.
        case busy
        /// The system's clock is wrong: it is behind the time recorded in the store, or far ahead of it.
        case clockNotTrusted
        /// A sweep would delete so much that keys are probably missing.
        case tooMuchToDelete
        /// The engine can't be reached, or refuses access; a retry may succeed.
        case unavailable
        /// The engine has no space, or a quota of the bucket is used up.
        case engineFull
        /// Any other failure of a system call.
        case system
    }

    /// The kind of failure.
    public let code: Code
    /// The operation and the file, as in `open objects/ab/…`.
    public let action: String
    /// The system's reason, if a system call failed.
    public let errno: Errno?
    /// With code `busy`: the processes that hold the lock, if the kernel lists them.
    public let holders: [Int32]

    /// Whether no worker can use this store until an operator changes something.
    public var preventsUse: Bool {
        switch code {
        case .unsupportedFileSystem: true
        case .missing, .unknownFormat, .notWritable, .spansFileSystems: errno?.mayPass != true
        default: false
        }
    }

    /// Whether other keys would fail too, because the failure concerns the store or the process and not a single file.
    public var concernsWholeStore: Bool {
        let codesOfAll: [Code] = [.noSpace, .busy, .unavailable, .engineFull]
        if codesOfAll.contains(code) || preventsUse { return true }
        let ofAll: [Errno] = [.noLocks, .readOnlyFileSystem, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory]
        return errno.map(ofAll.contains) ?? false
    }

    /// Whether this process or the system has reached its limit of open files, a temporary condition.
    public var isShortOfFiles: Bool { errno == .tooManyOpenFiles || errno == .tooManyOpenFilesInSystem }

    /// Whether one file or folder can't be read, because of its permissions or the disk.
    package var isUnreadable: Bool {
        // File systems return the last two for damaged metadata and for a wrong checksum.
        let refusals: [Errno] = [
            .permissionDenied, .notPermitted, .ioError, Errno(rawValue: EUCLEAN), Errno(rawValue: EBADMSG),
        ]
        return code == .unreadable || errno.map(refusals.contains) ?? false
    }

    package init(_ code: Code, _ action: String, errno: Errno? = nil, holders: [Int32] = []) {
        self.code = code
        self.action = action
        self.errno = errno
        self.holders = holders
    }

    /// The failure of a system call.
    package init(failed action: String, _ errno: Errno) {
        let isFull = errno == .noSpace || errno == .diskQuotaExceeded
        self.init(isFull ? .noSpace : .system, action, errno: errno)
    }
}

extension StoreError: CustomStringConvertible {
    /// One line for the log.
    public var description: String {
        errno.map { "\(action): \($0)" } ?? action
    }
}
