import Glibc

/// The size of a file system and what is free of it.
struct FileSystemSpace {
    /// Bytes.
    let total: UInt64
    /// Bytes that this user may still use (statvfs(3): `f_bavail`).
    let free: UInt64
    /// Whether there is room for one more file or folder. Btrfs, for one, has no limit but its space, and says zero of all.
    let hasFreeInodes: Bool

    init(_ folder: Descriptor, _ path: String) throws(StoreError) {
        var space = statvfs()
        try systemCall("measure free space of \(path)") { fstatvfs(folder.rawValue, &space) }
        total = UInt64(space.f_blocks) * UInt64(space.f_frsize)
        free = UInt64(space.f_bavail) * UInt64(space.f_frsize)
        hasFreeInodes = space.f_files == 0 || space.f_favail > 0
    }
}
