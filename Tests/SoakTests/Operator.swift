import Foundation
import TestSupport

/// What an operator's timers do, again and again.
struct Operator: Sendable {
    private let load: Load

    init(_ load: Load) { self.load = load }

    /// Collects garbage until the load is over: all kinds of it, in turns.
    func collect() throws {
        var round = 0
        while try load.gate.pass({
            round += 1
            try collect(.deleted)
            // Every tenth round empties the trash.
            try collect(.trashed, keepingTrash: round % 10 == 0 ? "0d" : "1h")
            try collect(.undeleted, keepingTrash: "1d")
        }) {
            usleep(500_000)
        }
    }

    func collect(_ retention: Retention, keepingTrash age: String? = nil) throws {
        let arguments = [
            "--namespace", retention.namespace, "--older-than", "\(Int(Retention.age))s", "--force", "--json",
        ]
        let result = try lps(["gc"] + arguments + (age.map { ["--keep-trash", $0] } ?? []))
        // One collects at a time, a scrub that looks for unreferenced content among them.
        if result.status == 1, result.output.contains(Self.another) {
            return load.tally.add("collections that met another one")
        }
        let json = try? JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Int]
        guard result.status == 0, let json else {
            return load.tally.violation("lps gc, \(retention): \(result.status) \(result.output)")
        }
        load.tally.add("collections (lps gc), \(retention)")
        load.tally.add("keys collected, \(retention)", json["keys"] ?? 0)
        load.tally.add("keys purged from the trash", json["purgedKeys"] ?? 0)
        load.tally.add("unreferenced contents collected", json["contents"] ?? 0)
    }

    /// Scrubs until the load is over: everything, what is new, and with repair.
    func scrub() throws {
        var round = 0
        var start = now()
        while try load.gate.pass({
            round += 1
            start = now()
            try scrub([[], ["--since-last"], ["--repair"]][round % 3], mayFindLeftovers: true)
        }) {
            // Half of the time.
            usleep(UInt32(min(30, max(0.5, now() - start)) * 1_000_000))
        }
    }

    private static let another = "another process collects garbage"

    /// - Parameter mayFindLeftovers: a deletion leaves its content until the collection's sweep, and so does a worker that is
    ///   killed before it makes an upload's key.
    func scrub(_ options: [String], mayFindLeftovers: Bool) throws {
        let result = try lps(["scrub", "--json"] + options)
        load.tally.add("scrubs (lps scrub\(options.map { " \($0)" }.joined()))")
        for line in result.output.split(separator: "\n") {
            if line.contains(Self.another) {
                load.tally.add("scrubs that met a collection")
                continue
            }
            let finding = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            if mayFindLeftovers, finding?["kind"] as? String == "unreferencedContent" {
                load.tally.add("unreferenced contents found by scrubs")
            } else {
                load.tally.violation("lps scrub \(options): \(line)")
            }
        }
        if result.status != 0, result.output.isEmpty { load.tally.violation("lps scrub \(options): \(result.status)") }
    }

    @discardableResult
    func lps(_ arguments: [String]) throws -> (status: Int32, output: String) {
        try run(Project.binary("lps"), [arguments[0], "--store", load.stack.store] + arguments.dropFirst())
    }
}
