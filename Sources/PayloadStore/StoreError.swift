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
        /// Any other failure of a system call.
        case system
    }

    /// What kind of failure it is.
    public let code: Code
    /// What was being done, to which file: `open objects/ab/…`.
    public let action: String
    /// The failure of the system call, where one failed.
    public let errno: Errno?

    /// Whether a worker can't use this store until someone has changed something.
    public var preventsUse: Bool {
        switch code {
        case .missing, .unknownFormat, .notWritable, .spansFileSystems: true
        case .noSpace, .quotaExceeded, .counting, .uploadNotAcceptable, .uploadGone, .unreadable, .damaged, .system:
            false
        }
    }

    init(_ code: Code, _ action: String, errno: Errno? = nil) {
        self.code = code
        self.action = action
        self.errno = errno
    }
}

extension StoreError: CustomStringConvertible {
    /// One line for the log.
    public var description: String {
        errno.map { "\(action): \($0)" } ?? action
    }
}
