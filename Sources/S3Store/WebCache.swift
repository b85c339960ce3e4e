import Storage
import System

/// The web server's cache of payloads that it has read from the engine.
///
/// A web server that can't write into it what it reads from the engine gives up, and cuts the download off, though the
/// engine is well (nginx/nginx#868). So it is told not to keep what may find no room.
struct WebCache: Sendable {
    /// Bytes that are left for others who write at the same time.
    private static let margin: UInt64 = 64 << 20

    let folder: String
    let kernel: any Kernel

    /// Whether a payload has room in it. A folder that can't be looked at, as one that the web server has not made yet, has.
    func hasRoom(for bytes: UInt64) -> Bool {
        guard let space = try? Descriptor(folder: folder, kernel).space() else { return true }
        return space.hasFreeInodes && space.free >= bytes &+ Self.margin
    }
}
