import PayloadKey
import Storage

/// Restores deleted keys from the trash, or tells what it would restore.
struct Undeletion {
    /// Keys that were restored.
    private(set) var keys = 0
    /// Bytes that they have, as their clients see them.
    private(set) var logicalBytes: UInt64 = 0
    let failures: Failures
    private let store: any TrashKeeping
    private let isDryRun: Bool
    private let show: (TrashedKey) throws -> Void

    /// - Parameter show: called with each key that is restored.
    init(
        in store: any TrashKeeping,
        isDryRun: Bool,
        complain: @escaping (String) -> Void,
        show: @escaping (TrashedKey) throws -> Void
    ) {
        self.store = store
        self.isDryRun = isDryRun
        self.show = show
        failures = Failures(complain: complain)
    }

    /// Restores the keys of a selection.
    mutating func run(_ selection: KeySelection) throws {
        try store.forEachTrashedKey(in: selection, unreadable: { try failures.note($1) }) { try restore($0) }
    }

    /// Restores one key.
    ///
    /// - Returns: whether it was in the trash.
    mutating func run(_ key: PayloadKey) throws -> Bool {
        let trashed = try store.trashed(key)
        for trashed in trashed { try restore(trashed) }
        return !trashed.isEmpty
    }

    private mutating func restore(_ trashed: TrashedKey) throws {
        if !isDryRun {
            let outcome = try failures.goingOn("\(trashed.stored.key) is not undeleted") { try store.undelete(trashed) }
            // What was stored again in the meantime, or is gone, needs nothing.
            guard outcome == .undeleted else { return }
        }
        keys += 1
        logicalBytes += trashed.stored.size ?? 0
        try show(trashed)
    }
}
