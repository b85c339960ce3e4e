import Glibc
import Storage
import Synchronization

/// The time in which counts can be trusted: as long as at least one process that counts is there.
///
/// Counters are not synced, since each upload would wait for that. As long as one of their users lives, the kernel has
/// not stopped, and what the others wrote is what one reads. When none is left, power may have been lost since. So each
/// user holds `usage/epoch` locked (flock(2), shared) for its life; who can lock it exclusively is alone, and begins
/// an epoch: what was counted before is counted anew.
final class UsageEpoch: Sendable {
    private let root: Descriptor
    private let patience: Duration
    private let joined: Mutex<(file: Descriptor, name: String)?> = Mutex(nil)

    /// - Parameter patience: how long to wait for a process that begins an epoch.
    init(root: Descriptor, patience: Duration) {
        self.root = root
        self.patience = patience
    }

    /// The epoch's name. The first call joins it, for this object's life.
    func name() throws -> String {
        try joined.withLock { joined in
            if let joined { return joined.name }
            let (file, name) = try join()
            joined = (file, name)
            return name
        }
    }

    private func join() throws -> (Descriptor, String) {
        let file = try root.open(StoreLayout.usageEpoch, O_RDWR | O_CREAT, mode: 0o640)
        if try file.tryLock(LOCK_EX) { try begin(file) }
        // Changing the lock lets it go for a moment, in which another user may begin an epoch: read afterwards.
        try file.lock(LOCK_SH, patience: patience)
        let name = try file.head(limit: Self.nameLength)
        guard name.count == Self.nameLength else { throw StoreError(.damaged, "\(file.name) has \(name.count) bytes") }
        return (file, String(decoding: name, as: UTF8.self))
    }

    private static let nameLength = 16

    private func begin(_ file: Descriptor) throws {
        let digits = String(root.kernel.random(), radix: 16)
        let name = Array((String(repeating: "0", count: Self.nameLength - digits.count) + digits).utf8)
        // The name of before is gone first: whoever waits for the lock must not take it for this epoch's when the writing
        // fails.
        try file.truncate()
        try file.write(name)
    }
}
