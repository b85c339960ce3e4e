import Foundation
import PayloadKey
import TestSupport

/// A process that holds a lock of a store and does nothing else, as one that is stopped would: flock(1) with sleep(1).
final class HeldLock {
    let process: ChildProcess

    /// Returns when the process has the lock.
    ///
    /// - Parameter path: the lock's file.
    init(_ path: String, _ folder: TemporaryFolder) throws {
        process = try ChildProcess(
            "flock",
            ["-x", path, "sleep", "600"],
            log: folder.file("flock-\(UUID().uuidString)")
        )
        try eventually("the lock is held") { try Self.isHeld(path) }
    }

    /// Ends the process, and sleep(1) with it, which has the lock's file open, too.
    func release() {
        kill(-process.pid, SIGKILL)
        process.wait()
    }

    deinit { if process.isRunning { release() } }

    /// Whether someone has the lock exclusively.
    static func isHeld(_ path: String) throws -> Bool {
        let file = open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        defer { close(file) }
        return flock(file, LOCK_SH | LOCK_NB) != 0
    }
}
