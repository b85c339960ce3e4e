import Foundation
import TestSupport

extension Soak {
    /// Verifies, after the load, that acknowledged payloads can be downloaded, and that nothing else is left.
    func verify() throws {
        try expectNothingIncoming()
        let undeleted = try stack.lps("undelete", "--namespace", Retention.undeleted.namespace)
        load.expect(undeleted.status == 0, "lps undelete: \(undeleted)")
        try timers.scrub([], mayFindLeftovers: true)
        let forever = load.ledger.forever
        try readBack(forever)

        sleep(UInt32(Retention.age) + 2)
        try timers.collect(.deleted)
        for age in ["1h", "0d"] { try timers.collect(.trashed, keepingTrash: age) }
        try timers.scrub([], mayFindLeftovers: false)
        expectOnly(forever)
        try expectOrderlyEnd()
    }

    /// A worker killed while it encodes leaves a file, which a start deletes after a day. nginx's files are numbers.
    private func expectNothingIncoming() throws {
        try eventually("nginx has removed its files") { stack.incoming.allSatisfy { !$0.allSatisfy(\.isNumber) } }
        load.count("files left in incoming/ by killed workers", stack.incoming.count)
        for name in stack.incoming {
            let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
            utimes("\(stack.store)/incoming/\(name)", [old, old])
        }
        try stack.startWorkers(1)
        load.expect(stack.incoming.isEmpty, "in incoming/: \(stack.incoming)")
    }

    private func readBack(_ forever: [Ledger.Entry]) throws {
        let (load, threads) = (load, 4)
        try concurrently(threads) { index in
            let client = Client(load, isSlow: false)
            for place in stride(from: index, to: forever.count, by: threads) {
                client.download(forever[place], "download at the end, \(forever[place].retention)")
            }
        }
        load.count("payloads read back at the end", forever.count)
    }

    /// Expects that the store has exactly the acknowledged payloads that are kept.
    private func expectOnly(_ forever: [Ledger.Entry]) {
        let codec = load.ledger.codecDigests
        let digests = Set(forever.map(\.payload.digest) + codec)
        let names = Set(stack.objects.map { "sha256:" + ($0.split(separator: "/").last ?? "") })
        for digest in digests.subtracting(names) { load.violation("lost: \(digest)") }
        for digest in names.subtracting(digests) { load.violation("never acknowledged: \(digest)") }
        let (keys, expected) = (stack.keys.count, forever.count + codec.count)
        load.expect(keys == expected, "\(keys) keys, expected \(expected)")
        load.count("objects at the end", names.count)
        for folder in ["quarantine", "trash"] {
            let left = files(below: "\(stack.store)/\(folder)")
            load.expect(left.isEmpty, "in \(folder)/: \(left.prefix(3))")
        }
    }

    private func expectOrderlyEnd() throws {
        load.expect(try stack.request("HEAD", "/v2/health/head").status == 200, "health at the end")
        for worker in stack.workers {
            let status = stack.stop(worker)
            load.expect(status == 0, "a worker ended with status \(status): \(worker.log)")
        }
        let workers = files(below: stack.folder.path).filter { $0.hasPrefix("worker-") }
        for line in try lines(of: workers, with: "level=error") { load.violation("a worker's log: \(line)") }
        for level in ["[alert]", "[crit]", "[emerg]"] {
            for line in try lines(of: ["nginx-error.log"], with: level) { load.violation("nginx's log: \(line)") }
        }
        let again = try lines(of: ["nginx-error.log"], with: "upstream prematurely closed connection")
        load.count("requests whose worker was killed", again.count)
    }

    private func lines(of names: [String], with text: String) throws -> [Substring] {
        let found = try TestSupport.run("grep", ["-hF", "--", text] + names.map(stack.folder.file))
        return found.output.split(separator: "\n")
    }
}
