import Glibc

extension Descriptor {
    /// Locks this file (flock(2)) within a bounded time: whoever holds the lock may be stopped, or frozen with its
    /// cgroup, and must not take others down with it.
    ///
    /// The lock is the open file's and goes with this object: two threads that shared one would release it for each other.
    ///
    /// - Parameters:
    ///   - kind: `LOCK_SH` or `LOCK_EX`.
    ///   - patience: how long to try.
    /// - Throws: ``StoreError`` with code `busy` that names the processes which hold it.
    package func lock(_ kind: Int32, patience: Duration) throws {
        let start = kernel.uptime()
        var pause = Duration.microseconds(200)
        var isReserved = false
        while true {
            if kind == LOCK_EX {
                // Many that hold it shared, one after the other, would keep it from ever becoming free.
                if !isReserved {
                    isReserved = try call("reserve \(name)") { try kernel.reserveLock(of: rawValue) }
                }
                if isReserved, try tryLock(kind) { return }
            } else {
                let isReservedByAnother = try call("look at \(name)") { try kernel.isLockReserved(of: rawValue) }
                if !isReservedByAnother, try tryLock(kind) { return }
            }
            guard kernel.uptime() - start < patience else { throw try busy(after: patience) }
            kernel.sleep(pause)
            pause = min(pause * 2, .milliseconds(2))
        }
    }

    /// Locks this file if nobody else has it.
    package func tryLock(_ kind: Int32) throws -> Bool {
        try call("lock \(name)") { try kernel.lock(rawValue, kind) }
    }

    /// Releases the lock, where others should not wait until this file is closed.
    package func unlock() {
        // It can't fail for an open file, and the lock goes with it at the latest.
        _ = try? kernel.lock(rawValue, LOCK_UN)
    }

    /// The error that says who holds the lock of this file.
    package func busy(after patience: Duration = .zero) throws -> StoreError {
        let holders = kernel.lockHolders(of: try status().identity)
        let who =
            holders.isEmpty
            ? "another process holds it" : "held by process \(holders.map(String.init).joined(separator: ", "))"
        let waited = patience == .zero ? "" : " for over \(patience.components.seconds) s"
        return StoreError(.busy, "lock \(name): \(who)\(waited)", holders: holders)
    }
}
