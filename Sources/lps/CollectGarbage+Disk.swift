import DiskStore
import Encoding
import Glibc
import PayloadKey
import Storage
import StorePolicy

/// The collection of garbage in a store on a disk.
struct DiskCollection {
    struct Options {
        var keepTrash: Age?
        var isDryRun = false
        /// Percent.
        var maximumShare = 50
        var trustsClock = false
    }

    /// The fewest keys of a namespace for which a share is looked at: in a small one, any share is ordinary.
    private static let fewKeys = 1000

    private(set) var result = CollectGarbage.Result()
    /// Namespaces that have no age.
    private(set) var leftAlone: [Namespace] = []
    let failures: Failures
    private let store: DiskStore
    private let selection: KeySelection
    private let retention: Retention
    private let options: Options
    private let report: CollectionReport
    private let progress: Progress?
    private let collector: Collector
    private let now = time(nil)

    /// - Throws: ``StoreError`` when another process collects, ``Refused`` when the clock can't be trusted.
    init(
        _ store: DiskStore,
        _ selection: KeySelection,
        _ retention: Retention,
        _ options: Options,
        _ report: CollectionReport = CollectionReport(),
        progress: Progress? = nil
    ) throws {
        self.store = store
        self.selection = selection
        self.retention = retention
        self.options = options
        self.report = report
        self.progress = progress
        failures = Failures {
            progress?.wipe()
            complain($0)
        }
        if !options.trustsClock { try Self.checkClock(of: store) }
        collector = try store.collector()
        if options.trustsClock, !options.isDryRun { try store.trustClock() }
    }

    private static func checkClock(of store: DiskStore) throws {
        do {
            try store.checkClock()
        } catch {
            guard error.code == .clockNotTrusted else { throw error }
            throw Refused(
                "\(error): nothing is deleted. Set the clock, or use --force if it is right"
            )
        }
    }

    /// Whether deleted keys go to the trash.
    var keepsTrash: Bool { options.keepTrash.map { $0.seconds > 0 } ?? false }

    mutating func run() throws {
        let total = try checkShares()
        progress?.begin(.keys, total: total)
        let failure = Swift.Result { try deleteKeys() }
        progress?.wipe()
        progress?.begin("deleting unreferenced content")
        // Also when there was no space for the trash: it is the sweep that makes space.
        try sweep()
        try failure.get()
        guard !options.isDryRun else { return }
        try store.removeEmptyFolders(failed: failures.note)
        _ = try failures.goingOn("counters without namespace are not removed") { try store.removeUnusedCounters() }
    }

    // MARK: Steps

    private mutating func deleteKeys() throws {
        if options.keepTrash != nil { try purgeTrash() }
        for namespace in try store.namespaces(in: selection) {
            if let age = retention.age(for: namespace) {
                try deleteKeys(of: namespace, olderThan: age)
            } else {
                leftAlone.append(namespace)
            }
        }
    }

    /// Makes sure that no namespace would lose too large a part of its keys: a wrong age, or a wrong clock, is likelier
    /// than that.
    ///
    /// - Returns: how many keys the selection has.
    private func checkShares() throws -> UInt64 {
        progress?.begin("counting keys")
        var total: UInt64 = 0
        for namespace in try store.namespaces(in: selection) {
            guard let age = retention.age(for: namespace) else { continue }
            let newest = now - age.seconds
            var keys = 0
            var old = 0
            // What can't be read is reported by the deletion.
            try store.forEachAge(in: KeySelection(namespace: namespace), unreadable: { _, _ in }) { key, lastStored in
                keys += 1
                guard selection.includes(key) else { return }
                total += 1
                if lastStored < newest { old += 1 }
            }
            guard keys > Self.fewKeys, old * 100 > keys * options.maximumShare else { continue }
            let message =
                "\(old) of the \(keys) keys of namespace '\(namespace)' are older than \(age.text), more than "
                + "\(options.maximumShare) %"
            guard options.isDryRun else {
                throw Refused("\(message): nothing is deleted; --max-share 100 if you mean it")
            }
            failures.warn("\(message): without --max-share nothing would be deleted")
        }
        return total
    }

    private mutating func purgeTrash() throws {
        try store.forEachTrashedKey(in: selection, unreadable: { try failures.note($1) }) { trashed in
            guard isOver(trashed.deleted) else { return }
            let isPurged = try failures.goingOn("\(trashed.stored.key) is not purged") {
                try options.isDryRun || store.purge(trashed)
            }
            guard isPurged == true else { return }
            result.purgedKeys += 1
            try tell { try report.purged(trashed.stored) }
        }
        guard !options.isDryRun else { return }
        try store.removeEmptyTrash(where: { $0 <= now && isOver($0) }, failed: failures.note)
    }

    /// Whether a key that was deleted at a time (seconds since 1970) has been in the trash for long enough.
    private func isOver(_ deleted: Int) -> Bool {
        guard let age = options.keepTrash else { return false }
        // Of the hour that is not over, too, when the trash is to be emptied.
        return age.seconds == 0 || deleted + age.seconds <= now
    }

    private mutating func deleteKeys(of namespace: Namespace, olderThan age: Age) throws {
        let newest = now - age.seconds
        let keys = KeySelection(namespace: namespace, prefix: selection.prefix)
        try store.forEachAge(in: keys, unreadable: { try failures.note($1) }) { key, lastStored in
            progress?.advance(by: 1)
            guard lastStored < newest else { return }
            // The sweep makes all deletions durable.
            let deleted = try failures.goingOn("\(key) is not deleted") { () -> StoredKey? in
                let stored = try store.find(key)
                if options.isDryRun { return stored }
                let isDeleted =
                    keepsTrash
                    ? try store.moveToTrash(key, now: now, isDurable: false, if: { $0 < newest })
                    : try store.delete(key, isDurable: false, if: { $0 < newest })
                return isDeleted ? stored : nil
            }
            guard let stored = deleted ?? nil else { return }
            result.count(stored)
            try tell { try report.deleted(stored) }
        }
    }

    /// A line on standard output must not end up in the one of the progress.
    private func tell(_ report: () throws -> Void) rethrows {
        if self.report.isListing { progress?.wipe() }
        try report()
    }

    private mutating func sweep() throws {
        let swept = try failures.goingOn("unreferenced content is not deleted") {
            try collector.sweep(
                isDryRun: options.isDryRun,
                maximumShare: options.isDryRun ? 100 : options.maximumShare,
                isDoomed: { try options.isDryRun && isDoomed($0) },
                failed: { try failures.note($0) }
            )
        }
        result.contents = swept?.contents ?? 0
        result.freedBytes = swept?.diskUsage ?? 0
    }

    /// Whether a key would be gone by the time of the sweep.
    private func isDoomed(_ candidate: Collector.Candidate) throws -> Bool {
        guard selection.includes(candidate.key) else { return false }
        if let deleted = candidate.deleted { return isOver(deleted) }
        guard !keepsTrash, let age = retention.age(for: candidate.key.namespace) else { return false }
        return try candidate.lastStored().map { $0 < now - age.seconds } ?? true
    }
}

/// A collection that would delete what was most likely meant to stay.
struct Refused: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
