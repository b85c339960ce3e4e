import System

/// A look at a file system's free space that found plenty of it, and so is good for several uploads.
///
/// Free space changes with every upload, of any process. If others use up the plenty within the second for which a look
/// is good, this process may still accept the bytes for which it is good: so each process can overrun the reserve by
/// ``bytes`` at most, and only if ``plenty`` was written within a second. A file system with less space to spare is looked
/// at for each upload.
struct SpaceLook {
    static let lifetime = Duration.seconds(1)
    /// The bytes and uploads that a look is good for.
    static let bytes: UInt64 = 64 << 20
    static let uploads: UInt64 = 1000
    /// The bytes above the reserve, and the inodes, that are plenty.
    static let plenty: UInt64 = 1 << 30
    static let plentyOfInodes: UInt64 = 100_000

    private let end: Duration
    private var bytesLeft = Self.bytes
    private var uploadsLeft = Self.uploads

    /// - Parameter now: the time of the look (``Kernel/uptime()``).
    /// - Returns: `nil` if the file system has no plenty of space.
    init?(_ space: FileSystemSpace, reserve: UInt64, now: Duration) {
        let (spare, isTooLittle) = space.free.subtractingReportingOverflow(reserve)
        guard !isTooLittle, spare >= Self.plenty, space.freeInodes ?? .max >= Self.plentyOfInodes else { return nil }
        end = now + Self.lifetime
    }

    /// Whether the look is good for another upload, and counts that upload.
    mutating func covers(_ bytes: UInt64, now: Duration) -> Bool {
        guard now < end, bytes <= bytesLeft, uploadsLeft > 0 else { return false }
        bytesLeft -= bytes
        uploadsLeft -= 1
        return true
    }
}
