import Foundation
import TestSupport

/// Runs garbage collections and scrubs repeatedly, like an operator's timers.
struct Operator: Sendable {
    private static let another = "garbage collection lock held by"

    let load: Load

    /// Collects garbage until the load is over, each kind of namespace in turn.
    func collect() throws {
        var round = 0
        while !load.isOver {
            round += 1
            try collect(.deleted)
            // Every tenth round purges the trash.
            try collect(.trashed, keepingTrash: round % 10 == 0 ? "0d" : "1h")
            try collect(.undeleted, keepingTrash: "1d")
            usleep(500_000)
        }
    }

    func collect(_ retention: Retention, keepingTrash age: String? = nil) throws {
        // Emptying the trash can free more than half of the contents, which lps gc would take for a loss of keys.
        let result = try load.stack.lps(
            [
                "gc", "--namespace", retention.namespace, "--older-than", "\(Int(Retention.age))s", "--force",
                "--max-share", "100", "--json",
            ]
                + (age.map { ["--keep-trash", $0] } ?? [])
        )
        // Only one collection runs at a time. A scrub that searches for unreferenced content counts as one.
        if result.status == 1, result.output.contains(Self.another) {
            return load.count("collections refused because of another")
        }
        let json = try? JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        guard result.status == 0, let json else {
            return load.violation("lps gc, \(retention): \(result.status) \(result.output)")
        }
        load.count("collections (lps gc), \(retention)")
        for count in ["keys", "purgedKeys", "contents"] {
            load.count("collected, \(retention): \(count)", json[count] as? Int ?? 0)
        }
    }

    /// Scrubs until the load is over, about half of the time: everything, new objects only, and with repair.
    func scrub() throws {
        var round = 0
        while !load.isOver {
            round += 1
            let start = now()
            try scrub([[], ["--since-last"], ["--repair"]][round % 3], mayFindLeftovers: true)
            usleep(UInt32(min(30, max(0.5, now() - start)) * 1_000_000))
        }
    }

    /// - Parameter mayFindLeftovers: whether unreferenced content is allowed. A deletion leaves it until the sweep, as
    ///   does a worker that is killed before it makes an upload's key.
    func scrub(_ options: [String], mayFindLeftovers: Bool) throws {
        let result = try load.stack.lps(["scrub", "--json"] + options)
        load.count("scrubs (lps scrub\(options.map { " \($0)" }.joined()))")
        for line in result.output.split(separator: "\n") {
            if line.contains(Self.another) {
                load.count("scrubs limited by a collection")
            } else if mayFindLeftovers, line.contains(#""kind":"unreferencedContent""#) {
                load.count("unreferenced objects found by scrubs")
            } else {
                load.violation("lps scrub \(options): \(line)")
            }
        }
        load.expect(result.status == 0 || !result.output.isEmpty, "lps scrub \(options): \(result.status)")
    }
}
