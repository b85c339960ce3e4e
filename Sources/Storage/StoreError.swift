import Glibc
import SystemPackage

/// What went wrong in the store: what kind of failure, while doing what, to which file.
public struct StoreError: Error, Sendable {
    /// The kinds of failure that callers tell apart.
    public enum Code: Sendable {
        /// There is no store at the given path.
        case missing
        /// The folder is no store, or one of a format that this version does not know.
        case unknownFormat
        /// A folder of the store can't be written.
        case notWritable
        /// `incoming/` can't link into the tree: they are on different file systems.
        case spansFileSystems
        /// The file system has no syncs, locks or links.
        case unsupportedFileSystem
        /// The file system or the user's quota is full (ENOSPC, EDQUOT), or the reserve would be touched.
        case noSpace
        /// The namespace would have more than its quota.
        case quotaExceeded
        /// The namespace's keys are being counted: until it is known how much they have, no new one is taken.
        case counting
        /// The web server named an upload file that is not acceptable.
        case uploadNotAcceptable
        /// The upload's file is gone: the web server removes it when its client leaves.
        case uploadGone
        /// A file of the tree can't be opened: this user may not, or the disk fails.
        case unreadable
        /// A file of the tree is not what it should be.
        case damaged
        /// The payload was there a moment ago, and has been deleted.
        case vanished
        /// Another process holds a lock of the store for longer than this one may wait.
        case busy
        /// The system's clock can't be right: it is behind the time that the store has recorded, or far ahead of it.
        case clockNotTrusted
        /// A sweep would delete so much that keys are likely to be missing.
        case tooMuchToDelete
        /// The engine that keeps the payloads can't be reached, or does not let this process in: it may later.
        case unavailable
        /// The engine that keeps the payloads has no room, or a quota of the bucket's is used up.
        case engineFull
        /// Any other failure of a system call.
        case system
    }

    /// What kind of failure it is.
    public let code: Code
    /// What was being done, to which file: `open objects/ab/…`.
    public let action: String
    /// The failure of the system call, where one failed.
    public let errno: Errno?
    /// With code `busy`: the processes that hold the lock, where the kernel names them.
    public let holders: [Int32]

    /// Whether a worker can't use this store until someone has changed something.
    public var preventsUse: Bool {
        switch code {
        case .unsupportedFileSystem: true
        case .missing, .unknownFormat, .notWritable, .spansFileSystems: errno?.mayPass != true
        default: false
        }
    }

    /// Whether it is no use to go on with other keys: what failed is not one file, but the store or the process.
    public var concernsWholeStore: Bool {
        let codesOfAll: [Code] = [.noSpace, .busy, .unavailable, .engineFull]
        if codesOfAll.contains(code) || preventsUse { return true }
        let ofAll: [Errno] = [.noLocks, .readOnlyFileSystem, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory]
        return errno.map(ofAll.contains) ?? false
    }

    /// Whether this process, or the system, has as many open files as it may: it will have fewer.
    public var isShortOfFiles: Bool { errno == .tooManyOpenFiles || errno == .tooManyOpenFilesInSystem }

    /// Whether this user, or the disk, does not let one file or folder be read.
    package var isUnreadable: Bool {
        // The last two are what file systems say of metadata that is damaged, and of a checksum that is wrong.
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
