import ArgumentParser
import ByteSize
import Glibc
import PayloadStore

/// `lps scrub`: reads everything, and takes away what is damaged.
struct Scrub: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub",
        abstract: "Reads all payloads, and moves damaged ones to quarantine.",
        discussion: """
            The keys of a damaged payload answer 404 from then on, never wrong bytes. An upload of the same payload heals all of \
            them.

            --since-last reads only what was stored, renewed or otherwise changed since the last scrub that came to its end began. \
            It finds no old payload that the disk has changed by itself: scrub everything from time to time, too.

            Safe while workers run. Exit status 1 when something was damaged.
            """
    )

    @OptionGroup var store: StoreOption
    @Option(help: ArgumentHelp("The most bytes to read in a second: 100m. (default: no limit)", valueName: "size"))
    var rate: ByteCount?
    @Flag(help: "Read only what changed since the last complete scrub began.")
    var sinceLast = false
    @Flag(help: "A line of JSON for each damaged payload.")
    var json = false

    func run() throws {
        let store = try store.open()
        let last = try store.lastScrub()
        var limit = RateLimit(bytesPerSecond: rate?.bytes)
        var damaged = 0
        let read = try store.scrub(sinceLast ? .sinceLast : .everything, pace: { limit.pass($0) }) { damage in
            damaged += 1
            if json {
                try Output.json(Row(damage))
            } else {
                print(
                    "\(damage.path) is damaged, \(damage.reason); now \(damage.quarantine ?? "replaced by an upload")"
                )
                for key in damage.keys { print("  lost: \(key)") }
            }
        }
        if !json { print("read \(read.files) files, \(Output.size(read.bytes)): \(damaged) damaged\(since(last))") }
        if damaged > 0 { throw ExitCode.failure }
    }

    /// What a scrub since the last one went by.
    private func since(_ last: ScrubRecord?) -> String {
        guard sinceLast else { return "" }
        func time(_ microseconds: Int64) -> String { Output.time(Int(microseconds / 1_000_000)) }
        guard let last else { return "; everything was read: no scrub was complete yet" }
        let full = last.startedFull.map { "everything was last read \(time($0))" } ?? "everything was never read"
        return "; not read again what is unchanged since \(time(last.started)), \(full)"
    }

    private struct Row: Encodable {
        let path: String
        let digest: String
        let reason: String
        let quarantine: String?
        let keys: [String]

        init(_ damage: Damage) {
            path = damage.path
            digest = "\(damage.digest)"
            reason = damage.reason
            quarantine = damage.quarantine
            keys = damage.keys.map(\.description)
        }
    }
}

/// Slows down to a number of bytes a second, over all that has passed.
struct RateLimit {
    private let bytesPerSecond: UInt64?
    private let start = ContinuousClock.now
    private var passed: UInt64 = 0

    init(bytesPerSecond: UInt64?) {
        self.bytesPerSecond = bytesPerSecond
    }

    mutating func pass(_ bytes: Int) {
        guard let bytesPerSecond else { return }
        passed += UInt64(bytes)
        let early = start + .seconds(Double(passed) / Double(bytesPerSecond)) - ContinuousClock.now
        guard early > .zero else { return }
        let (seconds, attoseconds) = early.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        // A signal that ends the pause early costs no more than that.
        nanosleep(&time, nil)
    }
}

/// A size that is not zero.
struct ByteCount: ExpressibleByArgument {
    let bytes: UInt64

    init?(argument: String) {
        guard let bytes = ByteSize.parse(argument), bytes > 0 else { return nil }
        self.bytes = bytes
    }
}
