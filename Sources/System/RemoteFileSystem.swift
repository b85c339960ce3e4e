import CLinux

/// Kinds of file systems that lie behind a network, or another program: what they have synced may be lost, and what they
/// have locked may be locked by others, too, whatever they answer. No test on one machine can show it.
enum RemoteFileSystem {
    /// By the magic number of statfs(2), from `linux/magic.h` and the file systems' own sources.
    private static let names: [UInt32: String] = [
        0x6969: "nfs", 0x517B: "smb", 0xFF53_4D42: "cifs", 0xFE53_4D42: "smb2", 0x00C3_6400: "ceph", 0x0102_1997: "9p",
        0x5346_414F: "afs", 0x6B41_4653: "afs", 0x7375_7245: "coda", 0x564C: "ncp", 0x0BD0_0BD0: "lustre",
        0x4750_4653: "gpfs", 0x2003_0528: "orangefs", 0x1983_0326: "beegfs", 0xBACB_ACBC: "vmhgfs",
        0x786F_4256: "vboxsf",
        0x6573_5546: "fuse",
    ]

    /// What the file system is called that a folder is on; `nil` for one that is trusted.
    static func name(of folder: Int32) -> String? {
        names[file_system_kind(folder)]
    }
}
