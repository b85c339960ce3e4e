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

            Safe while workers run: an upload that was answered is there afterwards.
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
        let store = try store.open()
        if let policy { try policy.warnOfUnknownNamespaces(in: store) }
        let progress = Progress.onTerminal("gc")
        defer { progress?.wipe() }
        if let progress { progress.begin(.keys, total: try count(selection, in: store, progress)) }
        let now = time(nil)
        var result = Result()
        if let keepTrash { try purgeTrash(of: store, selection, keepTrash, now, &result) }
        let keepsTrash = keepTrash.map { $0.seconds > 0 } ?? false
        var leftAlone: [Namespace] = []
        for namespace in try store.namespaces(in: selection) {
            guard let age = retention.age(for: namespace) else {
                leftAlone.append(namespace)
                continue
            }
            let newest = now - age.seconds
            let keys = KeySelection(namespace: namespace, prefix: selection.prefix)
            try store.forEachKey(in: keys) { stored in
                progress?.advance(by: 1)
                guard stored.lastStored < newest else { return }
                if keepsTrash {
                    if try dryRun || store.moveToTrash(stored.key, if: { $0.lastStored < newest }) {
                        result.count(stored)
                    }
                } else if try dryRun || store.delete(stored.key, if: { $0.lastStored < newest }) {
                    result.count(stored)
                    result.countFreed(stored, isDryRun: dryRun)
                }
            }
        }
        progress?.wipe()
        if !leftAlone.isEmpty {
            let names = leftAlone.map { "'\($0)'" }.joined(separator: ", ")
            complain("neither the policy nor --older-than gives an age for, so they are left alone: \(names)")
        }
        progress?.begin("looking for content without keys")
        let objects = try store.collectObjects(isDryRun: dryRun)
        result.objectsWithoutKeys = objects.count
        result.freedBytes += objects.diskUsage
        if !dryRun {
            try store.removeEmptyFolders()
            try store.removeUnusedCounters()
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
    }

    private func count(_ selection: KeySelection, in store: PayloadStore, _ progress: Progress) throws -> UInt64 {
        progress.begin("counting keys")
        var keys: UInt64 = 0
        try store.forEachKey(in: selection) { _ in keys += 1 }
        return keys
    }

    /// Deletes for good what was in the trash for longer than `age`.
    private func purgeTrash(
        of store: PayloadStore,
        _ selection: KeySelection,
        _ age: Age,
        _ now: Int,
        _ result: inout Result
    ) throws {
        // Of the hour that is not over, too, when it is to be emptied.
        let isOver = { (deleted: Int) in age.seconds == 0 || deleted + age.seconds <= now }
        try store.forEachTrashedKey(in: selection) { trashed in
            guard isOver(trashed.deleted), try dryRun || store.purge(trashed) else { return }
            result.purgedKeys += 1
            result.countFreed(trashed.stored, isDryRun: dryRun)
        }
        if !dryRun { try store.removeEmptyTrash { $0 <= now && isOver($0) } }
    }

    private struct Result: Encodable {
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
