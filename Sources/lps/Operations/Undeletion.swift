import PayloadKey
import Storage

/// Restores keys from the trash, or lists them in a dry run.
struct Undeletion {
    /// The number of restored keys.
    private(set) var keys = 0
    /// The sum of their payloads' sizes, in bytes.
    private(set) var logicalBytes: UInt64 = 0
    let failures: Failures
    private let store: any TrashKeeping
    private let isDryRun: Bool
    private let show: (TrashedKey) throws -> Void

    /// - Parameter show: Called with each restored key.
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

    /// Restores all keys of a selection.
    mutating func run(_ selection: KeySelection) throws {
        try store.forEachTrashedKey(in: selection, unreadable: { try failures.note($1) }) { try restore($0) }
    }

    /// Restores a single key.
    ///
    /// - Returns: Whether it was in the trash.
    mutating func run(_ key: PayloadKey) throws -> Bool {
        let trashed = try store.trashed(key)
        for trashed in trashed { try restore(trashed) }
        return !trashed.isEmpty
    }

    private mutating func restore(_ trashed: TrashedKey) throws {
        if !isDryRun {
            let outcome = try failures.goingOn("\(trashed.stored.key) is not restored") { try store.undelete(trashed) }
            // The key was stored again meanwhile, or is gone.
            guard outcome == .undeleted else { return }
        }
        keys += 1
        logicalBytes += trashed.stored.size ?? 0
        try show(trashed)
    }
}
