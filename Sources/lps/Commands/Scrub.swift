import ArgumentParser
import DiskStore
import Storage
import StoreFactory

/// `lps scrub`: verifies all content, quarantines damaged content, and checks the store's layout.
struct Scrub: Command {
    static let configuration = CommandConfiguration(
        commandName: "scrub",
        abstract: "Verify all payloads, quarantine damaged ones, and check the store's layout.",
        discussion: """
            Damaged content moves to quarantine even without --repair. Its keys then answer 404, never wrong bytes, until the \
            same payload is uploaded again under any key.

            --repair also deletes unreferenced content and files older than a day in incoming/, corrects permissions, and \
            creates missing folders. It corrects owners only in a store that belongs to root. Files that do not belong to the \
            store are reported, and never touched.

            --since-last reads only files stored or changed since the last complete scrub began. It misses older payloads that \
            the disk damaged silently: run a full scrub from time to time, too.

            Safe while workers run. Exit status 1 if anything was found, even if it was repaired.
            """
    )

    @OptionGroup var store: StoreOption
    @Option("Limit reads to SIZE per second: 100m. (default: LPS_SCRUB_RATE; without that, no limit)", value: "size")
    var rate: ByteCount?
    @Flag(help: "Read only files changed since the last complete scrub began.")
    var sinceLast = false
    @Flag(help: "Repair what can be repaired safely.")
    var repair = false
    @Flag(help: "Print one line of JSON for each finding.")
    var json = false

    func run(_ context: Context) throws {
        var limit = try configuredRate(context)
        let place = try store.place(context)
        guard !place.isBucket || !sinceLast && !repair else {
            throw ValidationError(
                "--\(sinceLast ? "since-last" : "repair") needs a store on a disk: "
                    + (sinceLast ? "a bucket keeps no record of scrubs" : "a bucket has nothing to repair")
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
        var isSweepRefused = false
        if let store = store as? any LayoutInspecting {
            progress?.begin("checking folders")
            isSweepRefused = try !inspect(store, isWithoutKeys, report, context)
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
        if tally.found > 0 || isSweepRefused { throw ExitCode.failure }
    }

    private func configuredRate(_ context: Context) throws -> RateLimit {
        let setting = try context.setting("LPS_SCRUB_RATE", expected: "a size like 50m", ByteCount.init(argument:))
        return RateLimit(bytesPerSecond: (rate ?? setting)?.bytes)
    }

    /// Checks the layout of a store on disk. This comes first, because a store that lacks a folder can't be opened.
    ///
    /// - Returns: Whether the folder of keys is missing.
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

    /// - Returns: False if `--repair` refused to delete unreferenced content, because keys may be missing.
    private func inspect(
        _ store: any LayoutInspecting,
        _ isWithoutKeys: Bool,
        _ report: (Finding) throws -> Void,
        _ context: Context
    ) throws -> Bool {
        do {
            // Without keys/, all content would be unreferenced: the store may be an incomplete backup.
            try store.inspect(repair: repair, looksForUnreferencedContent: !isWithoutKeys, report: report)
        } catch let error as StoreError where error.code == .busy {
            context.complain("unreferenced content is not searched for: \(error)")
        } catch let error as StoreError where error.code == .tooMuchToDelete {
            context.complain("unreferenced content is not deleted: \(error)")
            return false
        }
        return true
    }

    /// Describes the earlier scrub that `--since-last` relies on.
    private func since(_ last: ScrubRecord?) -> String {
        guard sinceLast else { return "" }
        func time(_ microseconds: Int64) -> String { Output.time(Int(microseconds / 1_000_000)) }
        guard let last else { return "; read everything, because no complete scrub is recorded" }
        let full = last.startedFull.map { "last full scrub \(time($0))" } ?? "no full scrub yet"
        return "; skipped files unchanged since \(time(last.started)), \(full)"
    }
}
