import CLinux

/// File systems that a network or another program (FUSE) provides. They may lose data that they reported as synced, and
/// may grant a lock twice; no test on one machine can detect this.
enum RemoteFileSystem {
    /// The magic numbers of statfs(2), from `linux/magic.h` and the file systems' own sources.
    private static let names: [UInt32: String] = [
        0x6969: "nfs", 0x517B: "smb", 0xFF53_4D42: "cifs", 0xFE53_4D42: "smb2", 0x00C3_6400: "ceph", 0x0102_1997: "9p",
        0x5346_414F: "afs", 0x6B41_4653: "afs", 0x7375_7245: "coda", 0x564C: "ncp", 0x0BD0_0BD0: "lustre",
        0x4750_4653: "gpfs", 0x2003_0528: "orangefs", 0x1983_0326: "beegfs", 0xBACB_ACBC: "vmhgfs",
        0x786F_4256: "vboxsf",
        0x6573_5546: "fuse",
    ]

    /// The name of the file system that a folder is on; `nil` if the file system is trusted.
    static func name(of folder: Int32) -> String? {
        names[file_system_kind(folder)]
    }
}
