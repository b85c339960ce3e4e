import ArgumentParser
import DiskStore
import Glibc
import PayloadKey
import Storage
import StorePolicy

/// `lps gc`: deletes what was not stored for long enough.
struct CollectGarbage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Delete expired keys and unreferenced content.",
        discussion: """
            A payload must outlive every workflow that holds its key, and the history of each: choose the longest workflow run \
            time plus the namespace's retention period. Where workflows have no run timeout, no age is safe. Storing a payload \
            again makes its age count anew.

            A policy gives each namespace an age of its own; --older-than is for those to which it gives none. A namespace \
            with neither is left alone.

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
    @Option(
        help: ArgumentHelp(
            "Delete nothing when over this share of the keys of a namespace, or of all contents, would be deleted; up to 1,000 are not guarded. 100: no limit.",
            valueName: "percent"
        )
    )
    var maxShare = 50
    @Flag(help: "Accept an age under a day, and a system clock that disagrees with the store.")
    var force = false
    @Flag(help: "One line of JSON.")
    var json = false

    func validate() throws {
        guard (1...100).contains(maxShare) else {
            throw ValidationError("--max-share is \(maxShare), expected a percentage from 1 to 100")
        }
    }

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
        var collection = try DiskCollection(
            store,
            selection,
            retention,
            .init(keepTrash: keepTrash, isDryRun: dryRun, maximumShare: maxShare, trustsClock: force),
            progress: progress
        )
        try collection.run()
        progress?.wipe()
        Self.tell(leftAlone: collection.leftAlone)
        let result = collection.result
        if json {
            try Output.json(result)
        } else {
            let verb = dryRun ? "would delete" : "deleted"
            let target = collection.keepsTrash ? " to the trash" : ""
            let purged = keepTrash == nil ? "" : ", \(result.purgedKeys) keys of the trash"
            print(
                "\(verb) \(result.keys) keys of \(Output.size(result.logicalBytes))\(target)\(purged), "
                    + "and \(result.contents) contents; \(Output.size(result.freedBytes)) of the disk"
            )
        }
        if collection.failures.count > 0 { throw ExitCode.failure }
    }

    static func tell(leftAlone: [Namespace]) {
        guard !leftAlone.isEmpty else { return }
        let names = leftAlone.map { "'\($0)'" }.joined(separator: ", ")
        complain("neither the policy nor --older-than gives an age for, so they are left alone: \(names)")
    }

    struct Result: Encodable, Equatable {
        var keys = 0
        var logicalBytes: UInt64 = 0
        var purgedKeys = 0
        var contents = 0
        var freedBytes: UInt64 = 0

        mutating func count(_ stored: StoredKey) {
            keys += 1
            logicalBytes += stored.size ?? 0
        }
    }
}
