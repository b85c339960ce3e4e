import ArgumentParser
import Encoding
import PayloadKey
import Storage
import StorePolicy

/// `lps gc`: deletes what was not stored for long enough.
struct CollectGarbage: Command {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Delete expired keys and unreferenced content.",
        discussion: """
            A payload must outlive every workflow that holds its key, and the history of each: choose the longest workflow run \
            time plus the namespace's retention period. Where workflows have no run timeout, no age is safe. Storing a payload \
            again makes its age count anew.

            A policy gives each namespace an age of its own; --older-than is for those to which it gives none. A namespace \
            with neither is left alone. Look at --dry-run first, which shows what would go of each namespace, and with \
            --list each key.

            With --keep-trash, what is deleted is kept in the trash for so long, where 'lps undelete' finds it, and what was \
            in there for longer is deleted for good. That is when space becomes free.

            Safe while workers run: an upload that was answered is there afterwards. What can't be read or deleted is reported and \
            left, with exit status 1. One collection runs at a time.

            Before it deletes anything, it compares the system's clock with the time that workers have recorded in the store, and \
            refuses when the clock is behind it, or over three days ahead of it. It also refuses to delete over half of a large \
            namespace (--max-share).

            In a bucket, ages count a day more, since uploads renew a key's age once a day; there is no trash; and an upload of the \
            very payload that is deleted for its age at that moment may be lost, since an engine has no locks.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var policy: PolicyOption
    @OptionGroup var selection: SelectionOptions
    @Option(
        "Delete keys last stored more than AGE ago: 45d, 36h, 90m, 30s. Required where no policy gives an age. (default: LPS_GC_OLDER_THAN)",
        value: "age"
    )
    var olderThan: Age?
    @Option(
        "Keep what is deleted in the trash for so long, and delete what was there for longer; 0d: empty it. (default: LPS_GC_KEEP_TRASH; without that, delete at once, and leave the trash alone)",
        value: "age"
    )
    var keepTrash: Age?
    @Flag(help: "Show what would be deleted, by namespace, and delete nothing.")
    var dryRun = false
    @Flag(help: "List each deleted key: size, when last stored, key.")
    var list = false
    @Flag(
        help: ArgumentHelp(
            "Delete nothing, and say whether an age is configured: exit status 0 if so, 1 if not, 255 if the configuration can't be used.",
            discussion: "As systemd's ExecCondition= takes it."
        )
    )
    var check = false
    @Option(
        help: ArgumentHelp(
            "Delete nothing when over this share of the keys of a namespace, or of all contents, would be deleted; up to 1,000 are not guarded. 100: no limit.",
            valueName: "percent"
        )
    )
    var maxShare = 50
    @Flag(help: "Accept an age under a day, and a system clock that disagrees with the store.")
    var force = false
    @Flag(help: "One line of JSON; with --list, before it one for each key.")
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
            throw ValidationError("--keep-trash is for a store on a disk: let the bucket keep old versions instead")
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

    /// The total, and of a dry run the sums by namespace.
    private func show(_ collection: GarbageCollection, _ keepTrash: Age?, _ context: Context) throws {
        let report = collection.report
        let total = report.total
        if json { return try context.json(total, adding: "namespaces", report.rows) }
        var text = "\(dryRun ? "would delete" : "deleted") \(total.keys) keys of \(Output.size(total.logicalBytes))"
        if collection.sharesContent {
            text += collection.keepsTrash ? " to the trash" : ""
            text += keepTrash == nil ? "" : ", \(total.purgedKeys) keys of the trash"
            text += ", and \(total.contents) contents; \(Output.size(total.freedBytes)) of the disk"
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
        context.complain("neither the policy nor --older-than gives an age for, so they are left alone: \(names)")
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

    /// The status of `--check`.
    ///
    /// systemd skips a service whose `ExecCondition=` ends with a status up to 254, and lets it fail at 255: a
    /// configuration that is wrong must not look like one that is not there (systemd.service(5)).
    private func checkConfiguration(_ context: Context) -> ExitCode {
        do {
            _ = try configuredRetention(context)
            _ = try context.age("LPS_GC_KEEP_TRASH")
            return .success
        } catch let error as Retention.NoAge {
            context.complain("nothing would be deleted: \(error)")
            return .failure
        } catch {
            // Other statuses have told why.
            if !(error is ExitCode) { context.complain("\(error)") }
            return ExitCode(255)
        }
    }
}

extension Context {
    /// - Throws: status 78, told on standard error, when the variable is no age.
    fileprivate func age(_ name: String) throws -> Age? {
        try setting(name, expected: "an age like 45d, 36h, 90m or 30s", Age.init(parsing:))
    }
}
