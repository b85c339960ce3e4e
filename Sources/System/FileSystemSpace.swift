import Glibc

/// The size of a file system and what is free of it.
package struct FileSystemSpace: Sendable {
    /// Bytes.
    package let total: UInt64
    /// Bytes that this user may still use (statvfs(3): `f_bavail`).
    package let free: UInt64
    /// Whether there is room for one more file or folder. Btrfs has no limit but its space, and reports zero inodes in all.
    package let hasFreeInodes: Bool

    package init(_ space: statvfs) {
        total = UInt64(space.f_blocks) * UInt64(space.f_frsize)
        free = UInt64(space.f_bavail) * UInt64(space.f_frsize)
        hasFreeInodes = space.f_files == 0 || space.f_favail > 0
    }
}
