import Foundation

/// A small separate file system, unmounted with the last reference. Only root can mount one.
package final class SmallDisk: Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        /// In memory.
        case tmpfs
        /// In a file, on a loop device.
        case ext4
    }

    /// A file system that treats names as equal that differ in case.
    package enum Folding: String, CaseIterable, Sendable {
        /// A folder of an ext4 (chattr(1), `F`), if the kernel can. All normalizations of a name are also equal.
        case ext4
        /// A whole NTFS (ntfs-3g(8), `ignore_case`).
        case ntfs

        /// Those that this machine can mount.
        package static var mountable: [Folding] {
            allCases.filter { kind in
                access(kind == .ext4 ? "/sys/fs/ext4/features/casefold" : "/dev/fuse", F_OK) == 0
            }
        }
    }

    private let folder: TemporaryFolder
    private let path: String

    /// - Parameters:
    ///   - mebibytes: its size.
    ///   - inodes: the number of files and folders; `nil` for the file system's default.
    package init(_ kind: Kind, mebibytes: Int, inodes: Int? = nil) throws {
        folder = try TemporaryFolder()
        path = folder.file("disk")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        switch kind {
        case .tmpfs:
            let limit = inodes.map { ",nr_inodes=\($0)" } ?? ""
            try Self.succeed("mount", ["-t", "tmpfs", "-o", "size=\(mebibytes)m\(limit)", "none", path])
        case .ext4:
            let image = folder.file("image")
            try write([], to: image)
            guard truncate(image, mebibytes << 20) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
            // Without blocks reserved for root, since the tests run as root.
            let limit = inodes.map { ["-N", "\($0)"] } ?? []
            try Self.succeed("mkfs.ext4", ["-q", "-m", "0", "-E", "lazy_itable_init=0"] + limit + [image])
            try Self.succeed("mount", ["-o", "loop", image, path])
        }
    }

    /// - Returns: the disk and its folder that folds names.
    package static func folding(_ kind: Folding) throws -> (disk: SmallDisk, folder: String) {
        let disk = try SmallDisk(folding: kind)
        let folder = disk.file("folding")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        if kind == .ext4 { try succeed("chattr", ["+F", folder]) }
        return (disk, folder)
    }

    private init(folding kind: Folding) throws {
        folder = try TemporaryFolder()
        path = folder.file("disk")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let image = folder.file("image")
        try write([], to: image)
        guard truncate(image, 32 << 20) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        switch kind {
        case .ext4:
            try Self.succeed("mkfs.ext4", ["-q", "-O", "casefold", image])
            try Self.succeed("mount", ["-o", "loop", image, path])
        case .ntfs:
            try Self.succeed("mkntfs", ["-q", "-F", "-Q", image])
            try Self.succeed("lowntfs-3g", ["-o", "ignore_case", image, path])
        }
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
    }

    private static func succeed(_ executable: String, _ arguments: [String]) throws {
        let ended = try run(executable, arguments)
        guard ended.status == 0 else { throw NeverHappened(what: "\(executable) \(arguments): \(ended.output)") }
    }

    package func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Remounts the file system with other options.
    package func remount(_ options: String) throws {
        try Self.succeed("mount", ["-o", "remount,\(options)", path])
    }

    /// Free bytes.
    package var free: Int {
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { return 0 }
        return Int(space.f_bavail) * Int(space.f_frsize)
    }

    /// Fills the disk, as another program might, until this many bytes are free. Replaces an earlier filling.
    package func fill(leaving bytes: Int) throws {
        let file = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        defer { close(file) }
        // A file system needs some space for itself as it fills.
        var piece = 1 << 20
        let zeros = [UInt8](repeating: 0, count: piece)
        lseek(file, 0, Int32(SEEK_END))
        while free > bytes {
            let wanted = min(piece, free - bytes)
            if Foundation.write(file, zeros, wanted) > 0 { continue }
            guard errno == ENOSPC, piece > 1 else { break }
            piece /= 2
        }
        fsync(file)
    }

    /// Uses up all inodes.
    package func useAllInodes() throws {
        try FileManager.default.createDirectory(atPath: ballast, withIntermediateDirectories: false)
        for index in 0... where mkdir("\(ballast)/\(index)", 0o700) != 0 { break }
    }

    /// Frees the space and inodes that were used.
    package func empty() throws {
        try FileManager.default.removeItem(atPath: ballast)
    }

    private var ballast: String { file("ballast") }
}
