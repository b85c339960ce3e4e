import Glibc

extension Descriptor {
    /// Locks this file (flock(2)), with a time limit: the lock's holder may be stopped, or frozen with its cgroup, and
    /// must not block other processes with it.
    ///
    /// The lock belongs to the open file and ends with this object. Two threads must not share this object: one would
    /// release the lock for the other.
    ///
    /// - Parameters:
    ///   - kind: `LOCK_SH` or `LOCK_EX`.
    ///   - patience: how long to retry.
    /// - Throws: ``StoreError`` with code `busy` that names the holders of the lock.
    package func lock(_ kind: Int32, patience: Duration) throws {
        var start: Duration?
        var pause = Duration.microseconds(200)
        var isReserved = false
        while true {
            if kind == LOCK_EX {
                // Successive shared holders could otherwise keep the lock from ever becoming free.
                if !isReserved {
                    isReserved = try call("reserve \(name)") { try kernel.reserveLock(of: rawValue) }
                }
                if isReserved, try tryLock(kind) { return }
            } else {
                let isReservedByAnother = try call("query lock \(name)") { try kernel.isLockReserved(of: rawValue) }
                if !isReservedByAnother, try tryLock(kind) { return }
            }
            let now = kernel.uptime()
            if let start, now - start >= patience { throw try busy(after: patience) }
            start = start ?? now
            kernel.sleep(pause)
            pause = min(pause * 2, .milliseconds(2))
        }
    }

    /// Locks this file without waiting; false if another process or thread holds the lock.
    package func tryLock(_ kind: Int32) throws -> Bool {
        try call("lock \(name)") { try kernel.lock(rawValue, kind) }
    }

    /// Releases the lock before this file is closed.
    package func unlock() {
        // This can't fail for an open file; at the latest, closing the file releases the lock.
        _ = try? kernel.lock(rawValue, LOCK_UN)
    }

    /// The error for a lock that is held, with its holders.
    package func busy(after patience: Duration = .zero) throws -> StoreError {
        let holders = kernel.lockHolders(of: try status().identity)
        let who =
            holders.isEmpty
            ? "held by another process" : "held by process \(holders.map(String.init).joined(separator: ", "))"
        let waited = patience == .zero ? "" : " for over \(patience.components.seconds) s"
        return StoreError(.busy, "lock \(name): \(who)\(waited)", holders: holders)
    }
}
