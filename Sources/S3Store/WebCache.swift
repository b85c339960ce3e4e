import Storage
import System

/// The web server's cache of payloads read from the engine.
///
/// If nginx can't write to its cache, it cuts the download off, although the engine works (nginx/nginx#868). So workers
/// tell it not to cache a payload that might not fit.
struct WebCache: Sendable {
    /// The free bytes to leave for concurrent writers.
    private static let margin: UInt64 = 64 << 20

    let folder: String
    let kernel: any Kernel

    /// Whether a payload fits. True if the folder can't be examined, for example because the web server has not created
    /// it yet.
    func hasRoom(for bytes: UInt64) -> Bool {
        guard let space = try? Descriptor(folder: folder, kernel).space() else { return true }
        return space.hasFreeInodes && space.free >= bytes &+ Self.margin
    }
}
