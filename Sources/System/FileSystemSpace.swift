import Glibc

/// The size and the free space of a file system.
package struct FileSystemSpace: Sendable {
    /// The size in bytes.
    package let total: UInt64
    /// The bytes that this user may still use (statvfs(3): `f_bavail`).
    package let free: UInt64
    /// How many more files and folders can be created; `nil` for no limit: Btrfs limits only space, and reports a total of
    /// zero inodes.
    package let freeInodes: UInt64?
    /// Whether one more file or folder can be created.
    package var hasFreeInodes: Bool { freeInodes != 0 }

    package init(total: UInt64, free: UInt64, freeInodes: UInt64?) {
        self.total = total
        self.free = free
        self.freeInodes = freeInodes
    }

    package init(_ space: statvfs) {
        total = UInt64(space.f_blocks) * UInt64(space.f_frsize)
        free = UInt64(space.f_bavail) * UInt64(space.f_frsize)
        freeInodes = space.f_files == 0 ? nil : UInt64(space.f_favail)
    }
}
