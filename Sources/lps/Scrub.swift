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

            Safe while workers run. Exit status 1 when something was damaged.
            """
    )

    @OptionGroup var store: StoreOption
    @Option(help: ArgumentHelp("The most bytes to read in a second: 100m. (default: no limit)", valueName: "size"))
    var rate: ByteCount?
    @Flag(help: "A line of JSON for each damaged payload.")
    var json = false

    func run() throws {
        let store = try store.open()
        var limit = RateLimit(bytesPerSecond: rate?.bytes)
        var damaged = 0
        let read = try store.scrub(pace: { limit.pass($0) }) { damage in
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
        if !json { print("read \(read.files) files, \(Output.size(read.bytes)): \(damaged) damaged") }
        if damaged > 0 { throw ExitCode.failure }
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
