import Glibc
import Storage

/// An epoch is a period in which counts can be trusted: it lasts as long as at least one counting process runs.
///
/// Counters are not synced, because each upload would have to wait for that. While any of their users lives, the kernel
/// has not stopped, and each process reads what the others wrote. Once none is left, power may have been lost. So each
/// user holds `usage/epoch` locked (flock(2), shared) for its whole life. A process that can lock it exclusively is
/// alone and starts a new epoch, which invalidates all earlier counts.
///
/// Every process that changes a counted key joins the epoch. Long-running processes join when they start, so that the
/// epoch outlasts the others.
extension DiskStore {
    /// Joins the epoch for this object's life, if there is one.
    ///
    /// - Parameter hasQuotas: start an epoch if there is none.
    /// - Throws: ``StoreError``. The next upload to a counted namespace tries again.
    public func keepCounts(hasQuotas: Bool) throws {
        if hasQuotas {
            try makeUsageFolders()
        } else if try root.status(of: StoreLayout.usageEpoch) == nil {
            return
        }
        _ = try epochName()
    }

    func makeUsageFolders() throws {
        for folder in StoreLayout.usageFolders { try root.makeFolder(folder) }
    }

    /// The epoch's name. The first call joins the epoch for this object's life.
    func epochName() throws -> String {
        try epoch.withLock { epoch in
            if let epoch { return epoch.name }
            let joined = try joinEpoch()
            epoch = joined
            return joined.name
        }
    }

    /// The number of digits in an epoch's name.
    private static let epochLength = 16

    private func joinEpoch() throws -> (file: Descriptor, name: String) {
        let file = try root.open(StoreLayout.usageEpoch, O_RDWR | O_CREAT, mode: 0o640)
        if try file.tryLock(LOCK_EX) {
            let name = String(root.kernel.random() | 1 << 63, radix: 16)
            // The previous name is deleted first: if the write fails, a process that waits for the lock must not read
            // the old name.
            try file.truncate()
            try file.write(Array(name.utf8))
        }
        // Changing the lock releases it for a moment, in which another process may start an epoch; so the name is read
        // afterwards.
        try file.lock(LOCK_SH, patience: patience)
        let name = try file.head(limit: Self.epochLength)
        guard name.count == Self.epochLength else { throw StoreError(.damaged, "\(file.name) has \(name.count) bytes") }
        return (file, String(decoding: name, as: UTF8.self))
    }
}
