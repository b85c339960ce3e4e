import System

/// The result of a query of free space, which is reused for several uploads because much space was free.
///
/// Uploads of other processes use the same space. So a process can exceed the reserve by at most ``bytes``, and only if
/// other processes write ``plenty`` within ``lifetime``. With less free space, each upload queries again.
struct SpaceLook {
    static let lifetime = Duration.seconds(1)
    /// The bytes and the number of uploads for which a result is reused.
    static let bytes: UInt64 = 64 << 20
    static let uploads: UInt64 = 1000
    /// The bytes above the reserve, and the number of inodes, that must be free.
    static let plenty: UInt64 = 1 << 30
    static let plentyOfInodes: UInt64 = 100_000

    private let end: Duration
    private var bytesLeft = Self.bytes
    private var uploadsLeft = Self.uploads

    /// - Parameter now: the time of the query (``Kernel/uptime()``).
    /// - Returns: `nil` if too little is free for reuse.
    init?(_ space: FileSystemSpace, reserve: UInt64, now: Duration) {
        let (spare, isTooLittle) = space.free.subtractingReportingOverflow(reserve)
        guard !isTooLittle, spare >= Self.plenty, space.freeInodes ?? .max >= Self.plentyOfInodes else { return nil }
        end = now + Self.lifetime
    }

    /// Whether the result covers another upload, which it then counts.
    mutating func covers(_ bytes: UInt64, now: Duration) -> Bool {
        guard now < end, bytes <= bytesLeft, uploadsLeft > 0 else { return false }
        bytesLeft -= bytes
        uploadsLeft -= 1
        return true
    }
}
