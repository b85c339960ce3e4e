import Glibc
import Storage

/// The epoch is the time in which counts can be trusted: as long as at least one process that counts is there.
///
/// Counters are not synced, since each upload would wait for that. As long as one of their users lives, the kernel has
/// not stopped, and what the others wrote is what one reads. When none is left, power may have been lost since. So each
/// user holds `usage/epoch` locked (flock(2), shared) for its life; who can lock it exclusively is alone, and begins
/// an epoch: what was counted before is counted anew.
///
/// Whoever changes a key that is counted joins the epoch; who is there for long does so from its start on, so that the
/// others may come and go.
extension DiskStore {
    /// Joins the epoch, for this object's life, where there is one.
    ///
    /// - Parameter hasQuotas: begin one where there is none.
    /// - Throws: ``StoreError``. The next upload to a namespace that is counted tries again.
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

    /// The epoch's name. The first call joins it, for this object's life.
    func epochName() throws -> String {
        try epoch.withLock { epoch in
            if let epoch { return epoch.name }
            let joined = try joinEpoch()
            epoch = joined
            return joined.name
        }
    }

    /// Digits of an epoch's name.
    private static let epochLength = 16

    private func joinEpoch() throws -> (file: Descriptor, name: String) {
        let file = try root.open(StoreLayout.usageEpoch, O_RDWR | O_CREAT, mode: 0o640)
        if try file.tryLock(LOCK_EX) {
            let name = String(root.kernel.random() | 1 << 63, radix: 16)
            // The name of before is gone first: whoever waits for the lock must not take it for this epoch's when the
            // writing fails.
            try file.truncate()
            try file.write(Array(name.utf8))
        }
        // Changing the lock lets it go for a moment, in which another user may begin an epoch: read afterwards.
        try file.lock(LOCK_SH, patience: patience)
        let name = try file.head(limit: Self.epochLength)
        guard name.count == Self.epochLength else { throw StoreError(.damaged, "\(file.name) has \(name.count) bytes") }
        return (file, String(decoding: name, as: UTF8.self))
    }
}
