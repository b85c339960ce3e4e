/// The locks of all processes, from `/proc/locks` (proc(5)).
enum LockTable {
    /// The processes that hold an flock(2) lock on a file. A process of another pid namespace is listed as 0 and left out.
    static func holders(of file: FileStatus.Identity) -> [Int32] {
        // Only the text of an error depends on this.
        guard let bytes = try? readFile("/proc/locks", limit: 4 << 20) else { return [] }
        return holders(of: file, in: String(decoding: bytes, as: UTF8.self))
    }

    /// A line is `1: FLOCK  ADVISORY  WRITE 1234 08:02:131 0 EOF`; the line of a waiting process contains `->`.
    static func holders(of file: FileStatus.Identity, in table: String) -> [Int32] {
        let device = file.device
        // As gnu_dev_major(3) and gnu_dev_minor(3) compute them.
        let major = (device >> 8) & 0xFFF | (device >> 32) & ~0xFFF
        let minor = device & 0xFF | (device >> 12) & ~0xFF
        return table.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count >= 6, fields[1] == "FLOCK", let pid = Int32(fields[4]), pid > 0 else { return nil }
            let place = fields[5].split(separator: ":")
            guard place.count == 3, UInt64(place[0], radix: 16) == major, UInt64(place[1], radix: 16) == minor,
                UInt64(place[2]) == file.inode
            else { return nil }
            return pid
        }
    }
}
