import Glibc

/// The size and the free space of a file system.
package struct FileSystemSpace: Sendable {
    /// The size in bytes.
    package let total: UInt64
    /// The bytes that this user may still use (statvfs(3): `f_bavail`).
    package let free: UInt64
    /// Whether one more file or folder can be created. Btrfs limits only space, and reports a total of zero inodes.
    package let hasFreeInodes: Bool

    package init(_ space: statvfs) {
        total = UInt64(space.f_blocks) * UInt64(space.f_frsize)
        free = UInt64(space.f_bavail) * UInt64(space.f_frsize)
        hasFreeInodes = space.f_files == 0 || space.f_favail > 0
    }
}
