import ArgumentParser
import DiskStore
import Storage
import StoreFactory

/// `lps scrub`: reads everything, takes away what is damaged, and finds what crashes and accidents have left.
struct Scrub: Command {
    static let configuration = CommandConfiguration(
        commandName: "scrub",
        abstract: "Looks through the whole store, reads all payloads, and moves damaged ones to quarantine.",
        discussion: """
            The keys of a damaged payload answer 404 from then on, never wrong bytes. An upload of the same payload under any key \
            revives all of them. This needs no --repair.

            With --repair it also deletes unreferenced content and what uploads have left in incoming/ for over a day, sets \
            permissions, and makes missing folders. A wrong owner is repaired only in a store of root's, since nobody else may. \
            What is not the store's is reported, and never touched.

            --since-last reads only what was stored or changed since the last scrub that came to its end began. \
            It finds no old payload that the disk has changed by itself: scrub everything from time to time, too.

            Safe while workers run. Exit status 1 when something was found, also when it is mended.
            """
    )

    @OptionGroup var store: StoreOption
    @Option("Limit reads to SIZE per second: 100m. (default: LPS_SCRUB_RATE; without that, no limit)", value: "size")
    var rate: ByteCount?
    @Flag(help: "Read only what changed since the last complete scrub began.")
    var sinceLast = false
    @Flag(help: "Mend what can safely be mended.")
    var repair = false
    @Flag(help: "A line of JSON for each finding.")
    var json = false

    func run(_ context: Context) throws {
        var limit = try configuredRate(context)
        let place = try store.place(context)
        guard !place.isBucket || !sinceLast && !repair else {
            throw ValidationError(
                "--\(sinceLast ? "since-last" : "repair") is for a store on a disk: "
                    + (sinceLast ? "a bucket keeps no record of scrubs" : "a bucket has nothing to mend")
            )
        }
        var tally = FindingTally()
        let progress = context.progress("scrub")
        defer { progress?.wipe() }
        func report(_ finding: Finding) throws {
            guard tally.add(finding) else { return }
            progress?.wipe()
            if json { try context.json(FindingRow(finding)) } else { context.print(finding.line) }
        }
        let isWithoutKeys = try inspectLayout(at: place, report)
        let store = try place.open(context)
        var note = ""
        if let store = store as? any LayoutInspecting {
            progress?.begin("looking through the folders")
            try inspect(store, isWithoutKeys, report, context)
            note = since(try store.lastScrub())
        }
        let scope = sinceLast ? ScrubScope.sinceLast : .everything
        if let progress {
            if place.isBucket { progress.begin("listing payloads") }
            progress.begin(.bytes, total: try store.contentToScrub(scope))
        }
        let read = try store.scrub(
            scope,
            pace: {
                progress?.advance(by: $0)
                limit.pass($0)
            },
            report: report
        )
        progress?.wipe()
        if !json {
            let files = place.isBucket ? "objects" : "files"
            context.print("read \(read.files) \(files), \(Output.size(read.bytes)): \(tally.summary)\(note)")
        }
        if tally.found > 0 { throw ExitCode.failure }
    }

    private func configuredRate(_ context: Context) throws -> RateLimit {
        let setting = try context.setting("LPS_SCRUB_RATE", expected: "a size like 50m", ByteCount.init(argument:))
        return RateLimit(bytesPerSecond: (rate ?? setting)?.bytes)
    }

    /// A store on a disk that lacks a folder can't be opened, so this comes first.
    ///
    /// - Returns: whether it lacks the folder of keys.
    private func inspectLayout(at place: StorePlace, _ report: (Finding) throws -> Void) throws -> Bool {
        guard case .folder(let path) = place else { return false }
        try StorePlace.checkOwner(of: path)
        var isWithoutKeys = false
        try DiskStore.inspectLayout(at: path, repair: repair) { finding in
            if finding.kind == .missing, finding.path == "keys" { isWithoutKeys = true }
            try report(finding)
        }
        return isWithoutKeys
    }

    private func inspect(
        _ store: any LayoutInspecting,
        _ isWithoutKeys: Bool,
        _ report: (Finding) throws -> Void,
        _ context: Context
    ) throws {
        do {
            // Without keys, nothing would be referenced: what is there may be half of a backup.
            try store.inspect(repair: repair, looksForUnreferencedContent: !isWithoutKeys, report: report)
        } catch let error as StoreError where error.code == .busy {
            context.complain("unreferenced content is not looked for: \(error)")
        } catch let error as StoreError where error.code == .tooMuchToDelete {
            context.complain("unreferenced content is not deleted: \(error)")
        }
    }

    /// What a scrub since the last one went by.
    private func since(_ last: ScrubRecord?) -> String {
        guard sinceLast else { return "" }
        func time(_ microseconds: Int64) -> String { Output.time(Int(microseconds / 1_000_000)) }
        guard let last else { return "; everything was read: there is no complete scrub before it to go by" }
        let full = last.startedFull.map { "everything was last read \(time($0))" } ?? "everything was never read"
        return "; not read again what is unchanged since \(time(last.started)), \(full)"
    }
}
