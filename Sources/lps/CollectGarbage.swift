import ArgumentParser
import Glibc
import PayloadKey
import PayloadStore
import StorePolicy

/// `lps gc`: deletes what was not stored for long enough.
struct CollectGarbage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Deletes keys that were not stored again for some time, and content that no key has.",
        discussion: """
            A payload must outlive every workflow that holds its key, and the history of each: choose the longest workflow run \
            time plus the namespace's retention period. Where workflows have no run timeout, no age is safe. Storing a payload \
            again makes its age count anew.

            A policy gives each namespace an age of its own; --older-than is for those to which it gives none. A namespace \
            with neither is left alone.

            With --keep-trash, what is deleted is kept in the trash for so long, where 'lps undelete' finds it, and what was \
            in there for longer is deleted for good. That is when space becomes free.

            Safe while workers run: an upload that was answered is there afterwards. What can't be read or deleted is told and left, \
            with exit status 1.

            In a bucket, ages count a day more, since uploads renew a key's age once a day; there is no trash; and an upload of the \
            very payload that is deleted for its age at that moment may be lost, since an engine has no locks.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var policy: PolicyOption
    @OptionGroup var selection: SelectionOptions
    @Option(
        help: ArgumentHelp(
            "Keys not stored since so long: 45d, 36h, 90m, 30s. Required where no policy gives an age.",
            valueName: "age"
        )
    )
    var olderThan: Age?
    @Option(
        help: ArgumentHelp(
            "Keep what is deleted in the trash for so long, and delete what was there for longer; 0d: empty it. (default: delete at once, and leave the trash alone)",
            valueName: "age"
        )
    )
    var keepTrash: Age?
    @Flag(help: "Only tell what would be deleted.")
    var dryRun = false
    @Flag(help: "Accept an age under a day.")
    var force = false
    @Flag(help: "One line of JSON.")
    var json = false

    func run() throws {
        let policy = try policy.load()
        let retention = try Retention(policy: policy, olderThan: olderThan, allowsAnyAge: force)
        let selection = try selection.selection()
        if let bucket = try store.openBucket() {
            return try collect(in: bucket, selection, retention, policy)
        }
        let store = try store.open()
        if let policy { try policy.warnOfUnknownNamespaces(of: store.namespaces()) }
        let progress = Progress.onTerminal("gc")
        defer { progress?.wipe() }
        if let progress { progress.begin(.keys, total: try count(selection, in: store, progress)) }
        let now = time(nil)
        var result = Result()
        let failures = Failures {
            progress?.wipe()
            complain($0)
        }
        if let keepTrash { try purgeTrash(of: store, selection, keepTrash, now, &result, failures) }
        let keepsTrash = keepTrash.map { $0.seconds > 0 } ?? false
        var leftAlone: [Namespace] = []
        for namespace in try store.namespaces(in: selection) {
            guard let age = retention.age(for: namespace) else {
                leftAlone.append(namespace)
                continue
            }
            let newest = now - age.seconds
            let keys = KeySelection(namespace: namespace, prefix: selection.prefix)
            try store.forEachKey(in: keys, unreadable: { try failures.note($1) }) { stored in
                progress?.advance(by: 1)
                guard stored.lastStored < newest else { return }
                let isDeleted = try failures.goingOn("\(stored.key) is not deleted") {
                    if dryRun { return true }
                    return keepsTrash
                        ? try store.moveToTrash(stored.key, if: { $0.lastStored < newest })
                        : try store.delete(stored.key, if: { $0.lastStored < newest })
                }
                guard isDeleted == true else { return }
                result.count(stored)
                if !keepsTrash { result.countFreed(stored, isDryRun: dryRun) }
            }
        }
        progress?.wipe()
        Self.tell(leftAlone: leftAlone)
        progress?.begin("looking for content without keys")
        let objects = try store.collectObjects(isDryRun: dryRun, failed: failures.note)
        result.objectsWithoutKeys = objects.count
        result.freedBytes += objects.diskUsage
        if !dryRun {
            try store.removeEmptyFolders(failed: failures.note)
            _ = try failures.goingOn("counters without namespace are not removed") { try store.removeUnusedCounters() }
        }
        progress?.wipe()
        if json {
            try Output.json(result)
        } else {
            let verb = dryRun ? "would delete" : "deleted"
            let purged = keepTrash == nil ? "" : ", \(result.purgedKeys) keys of the trash"
            print(
                "\(verb) \(result.keys) keys of \(Output.size(result.logicalBytes))\(keepsTrash ? " to the trash" : "")"
                    + "\(purged), and \(result.objectsWithoutKeys) contents without key; "
                    + "\(Output.size(result.freedBytes)) of the disk"
            )
        }
        if failures.count > 0 { throw ExitCode.failure }
    }

    static func tell(leftAlone: [Namespace]) {
        guard !leftAlone.isEmpty else { return }
        let names = leftAlone.map { "'\($0)'" }.joined(separator: ", ")
        complain("neither the policy nor --older-than gives an age for, so they are left alone: \(names)")
    }

    private func count(_ selection: KeySelection, in store: PayloadStore, _ progress: Progress) throws -> UInt64 {
        progress.begin("counting keys")
        var keys: UInt64 = 0
        // The collection tells of what can't be read.
        try store.forEachKey(in: selection, unreadable: { _, _ in }) { _ in keys += 1 }
        return keys
    }

    /// Deletes for good what was in the trash for longer than `age`.
    private func purgeTrash(
        of store: PayloadStore,
        _ selection: KeySelection,
        _ age: Age,
        _ now: Int,
        _ result: inout Result,
        _ failures: Failures
    ) throws {
        // Of the hour that is not over, too, when it is to be emptied.
        let isOver = { (deleted: Int) in age.seconds == 0 || deleted + age.seconds <= now }
        try store.forEachTrashedKey(in: selection, unreadable: { try failures.note($1) }) { trashed in
            guard isOver(trashed.deleted) else { return }
            let isPurged = try failures.goingOn("\(trashed.stored.key) is not purged") {
                try dryRun || store.purge(trashed)
            }
            guard isPurged == true else { return }
            result.purgedKeys += 1
            result.countFreed(trashed.stored, isDryRun: dryRun)
        }
        if !dryRun { try store.removeEmptyTrash(where: { $0 <= now && isOver($0) }, failed: failures.note) }
    }

    struct Result: Encodable {
        var keys = 0
        var logicalBytes: UInt64 = 0
        var purgedKeys = 0
        var objectsWithoutKeys = 0
        var freedBytes: UInt64 = 0

        mutating func count(_ stored: StoredKey) {
            keys += 1
            logicalBytes += stored.size
        }

        /// A deletion frees content with its last key, of which the trash may have one; those that are not deleted stay
        /// sharers of the others.
        mutating func countFreed(_ stored: StoredKey, isDryRun: Bool) {
            if isDryRun {
                freedBytes += stored.diskUsage / stored.sharers
            } else if stored.sharers == 1 {
                freedBytes += stored.diskUsage
            }
        }
    }
}
