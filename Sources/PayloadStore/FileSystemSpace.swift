import Glibc

/// The size of the store's file system and what is free of it, in bytes.
struct FileSystemSpace {
    let total: UInt64
    /// What this user may still use (statvfs(3): `f_bavail`).
    let free: UInt64

    init(_ root: Descriptor, _ path: String) throws(StoreError) {
        var space = statvfs()
        try systemCall("measure free space of \(path)") { fstatvfs(root.rawValue, &space) }
        total = UInt64(space.f_blocks) * UInt64(space.f_frsize)
        free = UInt64(space.f_bavail) * UInt64(space.f_frsize)
    }
}
