import Glibc

/// The fields of stat(2) that the store uses.
package struct FileStatus: Equatable, Sendable {
    /// Identifies a file: two names with equal identities are the same file.
    package struct Identity: Hashable, Sendable {
        package let device: UInt64
        package let inode: UInt64

        package init(device: UInt64, inode: UInt64) {
            self.device = device
            self.inode = inode
        }
    }

    package let identity: Identity
    package let isRegular: Bool
    package let isFolder: Bool
    /// The permission bits (chmod(2)), without the file type.
    package let mode: mode_t
    package let owner: uid_t
    package let group: gid_t
    /// The number of names; zero once the last one is deleted and only an open descriptor keeps the file.
    package let links: UInt64
    /// The length in bytes.
    package let size: UInt64
    /// Bytes used on disk.
    package let diskUsage: UInt64
    /// The mtime, in seconds since 1970.
    package let modified: Int
    /// When content, links or attributes last changed, in microseconds since 1970 (rounded down). The kernel sets it at
    /// each write(2), link(2) and similar call; no program can choose it.
    package let changed: Int64

    package init(_ status: stat) {
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        isRegular = status.st_mode & S_IFMT == S_IFREG
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        mode = status.st_mode & 0o7777
        owner = status.st_uid
        group = status.st_gid
        links = UInt64(status.st_nlink)
        size = UInt64(max(0, status.st_size))
        // `st_blocks` counts units of 512 bytes (stat(2)).
        diskUsage = UInt64(max(0, status.st_blocks)) * 512
        modified = status.st_mtim.tv_sec
        changed = Int64(status.st_ctim.tv_sec) * 1_000_000 + Int64(status.st_ctim.tv_nsec) / 1000
    }
}
