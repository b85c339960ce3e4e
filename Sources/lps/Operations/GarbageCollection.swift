import Encoding
import PayloadKey
import Storage

/// A garbage collection: deletes expired keys and, on disk, sweeps.
struct GarbageCollection {
    struct Options {
        /// How long deleted keys stay in the trash; `nil` to not use the trash.
        let keepTrash: Age?
        let isDryRun: Bool
        /// The maximum share of a namespace's keys, or of all objects, to delete, in percent.
        let maximumShare: Int
        /// Whether to accept a system clock that does not match the store's.
        let trustsClock: Bool
    }

    /// The largest number of keys whose share is not limited: in a small namespace any share can be normal.
    private static let fewKeys = 1000

    let report: CollectionReport
    let failures: Failures
    /// The namespaces of the selection, known after ``count()``.
    private(set) var namespaces: Set<Namespace> = []
    private let store: any PayloadStorage
    private let content: (any ContentSharing)?
    private let trash: (any TrashKeeping)?
    private let collector: (any ContentCollector)?
    private let selection: KeySelection
    private let expiry: Expiry
    private let options: Options
    private let progress: Progress?

    /// - Throws: ``StoreError`` when another collection is running, ``CommandError`` when the clock can't be trusted.
    init(
        _ store: any PayloadStorage,
        _ selection: KeySelection,
        _ retention: Retention,
        _ options: Options,
        _ report: CollectionReport,
        progress: Progress?,
        complain: @escaping (String) -> Void
    ) throws {
        self.store = store
        self.selection = selection
        self.options = options
        self.report = report
        self.progress = progress
        expiry = Expiry(retention, lag: store.ageLag)
        content = store as? any ContentSharing
        trash = store as? any TrashKeeping
        failures = Failures {
            progress?.wipe()
            complain($0)
        }
        if !options.trustsClock { try Self.checkClock(of: content) }
        collector = try content?.collector()
        if options.trustsClock, !options.isDryRun { try content?.trustClock() }
    }

    private static func checkClock(of store: (any ContentSharing)?) throws {
        do {
            try store?.checkClock()
        } catch let error as StoreError where error.code == .clockNotTrusted {
            throw CommandError("\(error): nothing is deleted; use --force if the system clock is right")
        }
    }

    /// Whether deleted keys go to the trash.
    var keepsTrash: Bool { options.keepTrash.map { $0.seconds > 0 } ?? false }

    /// Whether keys can share content, which a sweep deletes.
    var sharesContent: Bool { content != nil }

    /// The namespaces without a retention, sorted.
    var leftAlone: [Namespace] {
        namespaces.filter { !expiry.hasAge($0) }.sorted()
    }

    /// Counts the keys, and checks that no namespace would lose more than the maximum share of them, which suggests a wrong age
    /// or clock.
    ///
    /// - Returns: The number of selected keys that have a retention.
    /// - Throws: ``CommandError`` when a share is too large; a dry run only warns.
    mutating func count() throws -> UInt64 {
        progress?.begin("counting keys")
        var selected: UInt64 = 0
        var counts: [Namespace: (keys: Int, expired: Int)] = [:]
        var found: Set<Namespace> = []
        // The deletion reports unreadable keys.
        try store.forEachAge(
            in: KeySelection(namespace: selection.namespace),
            where: {
                found.insert($0)
                return expiry.hasAge($0)
            },
            unreadable: { _, _ in }
        ) { key, lastStored in
            var count = counts[key.namespace] ?? (0, 0)
            count.keys += 1
            if selection.includes(key) {
                selected += 1
                if expiry.isOver(key, lastStored) { count.expired += 1 }
            }
            counts[key.namespace] = count
        }
        namespaces = found
        for (namespace, count) in counts.sorted(by: { $0.key < $1.key }) {
            try checkShare(of: namespace, count.keys, count.expired)
        }
        return selected
    }

    private func checkShare(of namespace: Namespace, _ keys: Int, _ expired: Int) throws {
        guard keys > Self.fewKeys, expired * 100 > keys * options.maximumShare else { return }
        let age = expiry.age(of: namespace)?.text ?? ""
        let message =
            "\(expired) of the \(keys) keys of namespace '\(namespace)' are older than \(age), more than "
            + "\(options.maximumShare) %"
        guard options.isDryRun else {
            throw CommandError("\(message): nothing is deleted; use --max-share 100 if you mean it")
        }
        failures.warn("\(message): nothing would be deleted without --max-share")
    }

    /// Purges the trash, deletes expired keys, and sweeps.
    ///
    /// - Parameter keys: The result of ``count()``, for the progress.
    func run(keys: UInt64) throws {
        progress?.begin(.keys, total: keys)
        let deletion = Result {
            try purgeTrash()
            try deleteExpiredKeys()
        }
        progress?.wipe()
        // Sweep even if the deletion failed: the trash may lack space, and only the sweep frees it.
        try sweep()
        try deletion.get()
        if !options.isDryRun { try content?.removeUnused(failed: failures.note) }
    }

    // MARK: Steps

    private func purgeTrash() throws {
        guard let trash, options.keepTrash != nil else { return }
        try trash.forEachTrashedKey(in: selection, unreadable: { try failures.note($1) }) { trashed in
            guard isOver(trashed.deleted) else { return }
            let isPurged = try failures.goingOn("\(trashed.stored.key) is not purged") {
                try options.isDryRun || trash.purge(trashed)
            }
            if isPurged == true { try tell { try report.purged(trashed.stored) } }
        }
        guard !options.isDryRun else { return }
        try trash.removeEmptyTrash(where: { $0 <= expiry.now && isOver($0) }, failed: failures.note)
    }

    /// Whether to purge a key that was deleted at `deleted`, in seconds since 1970.
    private func isOver(_ deleted: Int) -> Bool {
        guard let age = options.keepTrash else { return false }
        // 0d purges the whole trash, including the current hour.
        return age.seconds == 0 || deleted + age.seconds <= expiry.now
    }

    private func deleteExpiredKeys() throws {
        if options.isDryRun { return try listExpiredKeys() }
        let deletion = KeyDeletion(store: store, trash: keepsTrash ? trash : nil, expiry: expiry)
        var batch: [PayloadKey] = []
        func deleteBatch() throws {
            let outcome = try deletion.run(batch)
            batch.removeAll(keepingCapacity: true)
            for stored in outcome.deleted { try tell { try report.deleted(stored, isFreed: content == nil) } }
            for (key, error) in outcome.failed { try failures.goingOn("\(key) is not deleted") { throw error } }
        }
        try store.forEachAge(in: selection, where: expiry.hasAge, unreadable: { try failures.note($1) }) { key, age in
            progress?.advance(by: 1)
            guard expiry.isOver(key, age) else { return }
            batch.append(key)
            if batch.count >= store.deletionsAtOnce { try deleteBatch() }
        }
        try deleteBatch()
    }

    private func listExpiredKeys() throws {
        try store.forEachKey(in: selection, unreadable: { try failures.note($1) }) { stored in
            progress?.advance(by: 1)
            guard expiry.isOver(stored.key, stored.lastStored) else { return }
            try tell { try report.deleted(stored, isFreed: content == nil) }
        }
    }

    /// Runs `report`. If it prints lines, wipes the progress first.
    private func tell(_ report: () throws -> Void) rethrows {
        if self.report.isListing { progress?.wipe() }
        try report()
    }

    private func sweep() throws {
        guard let collector else { return }
        progress?.begin("deleting unreferenced content")
        // Each of these keys may have released its content.
        let released = report.total.purgedKeys + (keepsTrash ? 0 : report.total.keys)
        let swept = try failures.goingOn("unreferenced content is not deleted") {
            try collector.sweep(
                only: nil,
                isDryRun: options.isDryRun,
                maximumShare: options.isDryRun ? 100 : options.maximumShare,
                expected: released,
                isDoomed: { try options.isDryRun && isDoomed($0) },
                failed: { try failures.note($0) },
                found: { _, _ in }
            )
        }
        if let swept { report.swept(swept) }
    }

    /// Whether a dry run's sweep must treat the key as deleted.
    private func isDoomed(_ candidate: SweepCandidate) throws -> Bool {
        guard selection.includes(candidate.key) else { return false }
        if let deleted = candidate.deleted { return isOver(deleted) }
        guard !keepsTrash, expiry.hasAge(candidate.key.namespace) else { return false }
        return try candidate.lastStored().map { expiry.isOver(candidate.key, $0) } ?? true
    }
}
