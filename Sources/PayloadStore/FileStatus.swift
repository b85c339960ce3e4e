import Glibc

/// The part of stat(2)'s answer that the store decides by.
struct FileStatus: Equatable {
    /// Which file it is: two names with equal identities are one file.
    struct Identity: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    let identity: Identity
    let isRegular: Bool
    let isFolder: Bool
    /// The permissions (chmod(2)), without the file's type.
    let mode: mode_t
    let owner: uid_t
    /// How many names the file has; none when the last one is gone and only an open descriptor keeps it.
    let links: UInt64
    /// Bytes.
    let size: UInt64
    /// Bytes that it takes on the disk.
    let diskUsage: UInt64
    /// Seconds since 1970.
    let modified: Int
    /// When content, links or attributes last changed, in microseconds since 1970 (rounded down). The kernel sets it at
    /// each write(2), link(2) and the like; no program can choose it.
    let changed: Int64

    init(_ status: stat) {
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        isRegular = status.st_mode & S_IFMT == S_IFREG
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        mode = status.st_mode & 0o7777
        owner = status.st_uid
        links = UInt64(status.st_nlink)
        size = UInt64(max(0, status.st_size))
        // In units of 512 bytes (stat(2)).
        diskUsage = UInt64(max(0, status.st_blocks)) * 512
        modified = status.st_mtim.tv_sec
        changed = Int64(status.st_ctim.tv_sec) * 1_000_000 + Int64(status.st_ctim.tv_nsec) / 1000
    }
}
