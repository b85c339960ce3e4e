import ArgumentParser
import Glibc
import PayloadStore

/// `lps gc`: deletes what was not stored for long enough.
struct CollectGarbage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Deletes keys that were not stored again for some time, and content that no key has.",
        discussion: """
            A payload must outlive every workflow that holds its key, and the history of each: choose the longest workflow run \
            time plus the namespace's retention period. Where workflows have no run timeout, no age is safe. Storing a payload \
            again makes its age count anew.

            Safe while workers run: an upload that was answered is there afterwards.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var selection: SelectionOptions
    @Option(help: ArgumentHelp("Keys not stored since so long: 45d, 36h, 90m, 30s.", valueName: "age"))
    var olderThan: Age
    @Flag(help: "Only tell what would be deleted.")
    var dryRun = false
    @Flag(help: "Accept an age under a day.")
    var force = false
    @Flag(help: "One line of JSON.")
    var json = false

    func validate() throws {
        guard olderThan.seconds >= Age.day || force else {
            throw ValidationError(
                "--older-than \(olderThan.text) is under a day: uploads of right now count as garbage; --force if you mean it"
            )
        }
    }

    func run() throws {
        let selection = try selection.selection()
        let store = try store.open()
        let newest = time(nil) - olderThan.seconds
        let progress = Progress.onTerminal("gc")
        defer { progress?.wipe() }
        if let progress { progress.begin(.keys, total: try count(selection, in: store, progress)) }
        var result = Result()
        try store.forEachKey(in: selection) { stored in
            progress?.advance(by: 1)
            guard stored.lastStored < newest else { return }
            if try dryRun || store.delete(stored.key, if: { $0.lastStored < newest }) {
                result.count(stored, isDryRun: dryRun)
            }
        }
        progress?.begin("looking for content without keys")
        let objects = try store.collectObjects(isDryRun: dryRun)
        result.objectsWithoutKeys = objects.count
        result.freedBytes += objects.diskUsage
        if !dryRun { try store.removeEmptyFolders() }
        progress?.wipe()
        if json {
            try Output.json(result)
        } else {
            let verb = dryRun ? "would delete" : "deleted"
            print(
                "\(verb) \(result.keys) keys of \(Output.size(result.logicalBytes)), and \(result.objectsWithoutKeys) contents "
                    + "without key; \(Output.size(result.freedBytes)) of the disk"
            )
        }
    }

    private func count(_ selection: KeySelection, in store: PayloadStore, _ progress: Progress) throws -> UInt64 {
        progress.begin("counting keys")
        var keys: UInt64 = 0
        try store.forEachKey(in: selection) { _ in keys += 1 }
        return keys
    }

    private struct Result: Encodable {
        var keys = 0
        var logicalBytes: UInt64 = 0
        var objectsWithoutKeys = 0
        var freedBytes: UInt64 = 0

        /// A deletion frees content with its last key; those that are not deleted stay sharers of the others.
        mutating func count(_ stored: StoredKey, isDryRun: Bool) {
            keys += 1
            logicalBytes += stored.size
            if isDryRun {
                freedBytes += stored.diskUsage / stored.sharers
            } else if stored.sharers == 1 {
                freedBytes += stored.diskUsage
            }
        }
    }
}

/// A time span as operators write it: a number with `d`, `h`, `m` or `s`.
struct Age: ExpressibleByArgument {
    static let day = 86_400
    let seconds: Int
    let text: String

    init?(argument: String) {
        let units: [Character: Int] = ["d": Self.day, "h": 3600, "m": 60, "s": 1]
        guard let unit = argument.last.flatMap({ units[$0] }),
            case let digits = argument.dropLast(), !digits.isEmpty,
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(digits)
        else { return nil }
        let (seconds, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow else { return nil }
        self.seconds = seconds
        text = argument
    }
}
