import ArgumentParser
import Encoding
import PayloadKey
import Storage
import StorePolicy

/// `lps gc`: deletes expired keys and unreferenced content.
struct CollectGarbage: Command {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Delete expired keys and unreferenced content.",
        discussion: """
            A payload must outlive every workflow whose history refers to it: use the longest workflow run time plus the \
            Temporal namespace's retention period as AGE. If workflows have no run timeout, no age is safe. Storing a \
            payload again renews its age.

            A policy sets the retention of each namespace; --older-than applies to namespaces without one. Without either, \
            nothing in a namespace is deleted. Use --dry-run first: it shows what would be deleted from each namespace, and \
            with --list each key.

            With --keep-trash AGE, deleted keys move to the trash, from which 'lps undelete' restores them. Keys in the trash \
            for longer than AGE are purged; only then does their space become free.

            Safe while workers run: payloads uploaded during a collection are kept. Keys that can't be read or deleted are reported and left \
            in place, with exit status 1. Only one collection runs at a time.

            A collection deletes nothing if the system's clock is behind the time that workers recorded in the store, or more \
            than three days ahead of it, or if more than half of a large namespace would be deleted (--max-share).

            In a bucket, keys expire a day later, because uploads renew a key's age at most once a day, and there is no trash. \
            An upload may be lost if the same key is deleted as expired at that moment, because an engine has no locks.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var policy: PolicyOption
    @OptionGroup var selection: SelectionOptions
    @Option(
        "Delete keys last stored more than AGE ago: 45d, 36h, 90m, 30s. Required without a policy that sets a retention. (default: LPS_GC_OLDER_THAN)",
        value: "age"
    )
    var olderThan: Age?
    @Option(
        "Move deleted keys to the trash, and purge those in it for longer than AGE; 0d purges all. (default: LPS_GC_KEEP_TRASH; without that, delete at once, and purge nothing)",
        value: "age"
    )
    var keepTrash: Age?
    @Flag(help: "Show what would be deleted from each namespace, and delete nothing.")
    var dryRun = false
    @Flag(help: "List each deleted key: size, when last stored, key.")
    var list = false
    @Flag(
        help: ArgumentHelp(
            "Delete nothing, and check whether a retention is configured: exit status 0 if so, 1 if not, 255 if the configuration can't be used.",
            discussion: "For systemd's ExecCondition=."
        )
    )
    var check = false
    @Option(
        help: ArgumentHelp(
            "Delete nothing if more than PERCENT of a namespace's keys, or of all objects, would be deleted. 1,000 or fewer are not guarded; 100 means no limit.",
            valueName: "percent"
        )
    )
    var maxShare = 50
    @Flag(help: "Accept an age under a day, and a system clock that does not match the store's.")
    var force = false
    @Flag(help: "Print one line of JSON; with --list, first one for each key.")
    var json = false

    func validate() throws {
        guard (1...100).contains(maxShare) else {
            throw ValidationError("--max-share is \(maxShare), expected a percentage from 1 to 100")
        }
    }

    func run(_ context: Context) throws {
        if check { throw checkConfiguration(context) }
        let (policy, retention) = try requiredRetention(context)
        let selection = try selection.selection()
        let store = try store.open(context)
        let canKeepTrash = store is any TrashKeeping
        guard canKeepTrash || keepTrash == nil else {
            throw ValidationError("--keep-trash needs a store on a disk: use the bucket's versioning instead")
        }
        let keepTrash = try canKeepTrash ? self.keepTrash ?? context.age("LPS_GC_KEEP_TRASH") : nil
        let progress = context.progress("gc")
        defer { progress?.wipe() }
        var collection = try GarbageCollection(
            store,
            selection,
            retention,
            .init(keepTrash: keepTrash, isDryRun: dryRun, maximumShare: maxShare, trustsClock: force),
            CollectionReport(list: list ? { try show($0, isInTrash: $1, context) } : nil),
            progress: progress,
            complain: context.complain
        )
        let keys = try collection.count()
        progress?.wipe()
        if selection.namespace == nil {
            policy?.warnOfUnknownNamespaces(of: collection.namespaces, context.complain)
        }
        try collection.run(keys: keys)
        progress?.wipe()
        tell(leftAlone: collection.leftAlone, context)
        try show(collection, keepTrash, context)
        if collection.failures.count > 0 { throw ExitCode.failure }
    }

    /// Prints the total, and after a dry run the sums by namespace.
    private func show(_ collection: GarbageCollection, _ keepTrash: Age?, _ context: Context) throws {
        let report = collection.report
        let total = report.total
        if json { return try context.json(total, adding: "namespaces", report.rows) }
        var text = "\(dryRun ? "would delete" : "deleted") \(total.keys) keys (\(Output.size(total.logicalBytes)))"
        if collection.sharesContent {
            text += collection.keepsTrash ? " to the trash" : ""
            text += keepTrash == nil ? "" : ", \(dryRun ? "purge" : "purged") \(total.purgedKeys) keys"
            text += ", \(dryRun ? "sweep" : "swept") \(total.contents) objects"
            text += ", \(dryRun ? "free" : "freed") \(Output.size(total.freedBytes))"
        }
        context.print(text)
        if dryRun, !report.rows.isEmpty { context.print(report.table) }
    }

    private func show(_ stored: StoredKey, isInTrash: Bool, _ context: Context) throws {
        if json {
            try context.json(KeyDescription(stored), adding: "isInTrash", isInTrash)
        } else {
            context.print(Output.row(of: stored) + (isInTrash ? " (trash)" : ""))
        }
    }

    private func tell(leftAlone: [Namespace], _ context: Context) {
        guard !leftAlone.isEmpty else { return }
        let names = leftAlone.map { "'\($0)'" }.joined(separator: ", ")
        context.complain(
            "neither the policy nor --older-than sets an age for these namespaces, nothing in them is deleted: \(names)"
        )
    }

    // MARK: Configuration

    private func configuredRetention(_ context: Context) throws -> (StorePolicy?, Retention) {
        let policy = try policy.load(context)
        let age = try olderThan ?? context.age("LPS_GC_OLDER_THAN")
        return (policy, try Retention(policy: policy, olderThan: age, allowsAnyAge: force))
    }

    private func requiredRetention(_ context: Context) throws -> (StorePolicy?, Retention) {
        do {
            return try configuredRetention(context)
        } catch let none as Retention.NoAge {
            throw ValidationError("\(none)")
        }
    }

    /// The exit status of `--check`.
    ///
    /// systemd skips a service whose `ExecCondition=` exits with a status up to 254, and marks it failed at 255
    /// (systemd.service(5)): an invalid configuration must not look like a missing one.
    private func checkConfiguration(_ context: Context) -> ExitCode {
        do {
            _ = try configuredRetention(context)
            _ = try context.age("LPS_GC_KEEP_TRASH")
            return .success
        } catch let error as Retention.NoAge {
            context.complain("nothing would be deleted: \(error)")
            return .failure
        } catch {
            // An ExitCode's reason was already reported.
            if !(error is ExitCode) { context.complain("\(error)") }
            return ExitCode(255)
        }
    }
}

extension Context {
    /// - Throws: Status 78 when the variable is not an age; the reason is on standard error.
    fileprivate func age(_ name: String) throws -> Age? {
        try setting(name, expected: "an age like 45d, 36h, 90m or 30s", Age.init(parsing:))
    }
}
