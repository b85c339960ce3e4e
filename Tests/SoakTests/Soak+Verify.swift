import Foundation
import TestSupport

extension Soak {
    /// Makes sure, after the load, that everything answered can be read, and that nothing else is left.
    func verify() throws {
        let tally = load.tally
        try expectNothingIncoming()
        let undeleted = try timers.lps(["undelete", "--namespace", Retention.undeleted.namespace])
        if undeleted.status != 0 { tally.violation("lps undelete: \(undeleted)") }
        try timers.scrub([], mayFindLeftovers: true)
        let forever = load.ledger.forever
        try readBack(forever)

        sleep(UInt32(Retention.age) + 2)
        try timers.collect(.deleted)
        for age in ["1h", "0d"] { try timers.collect(.trashed, keepingTrash: age) }
        try timers.scrub([], mayFindLeftovers: false)
        try expectOnly(forever)
        try expectOrderlyEnd()
    }

    /// A worker that is killed while it encodes leaves its file, which the sweep takes after a day.
    private func expectNothingIncoming() throws {
        try eventually("nginx has removed its files", within: 30) { stack.incoming.allSatisfy { !$0.isNginx } }
        load.tally.add("files left in incoming/ by killed workers", stack.incoming.count)
        for name in stack.incoming {
            let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
            utimes("\(stack.store)/incoming/\(name)", [old, old])
        }
        try stack.startWorkers(1)
        if !stack.incoming.isEmpty { load.tally.violation("in incoming/: \(stack.incoming)") }
    }

    private func readBack(_ forever: [(SoakPayload, Retention)]) throws {
        let (load, threads) = (load, 4)
        try concurrently(threads) { index in
            let client = Client(load, .fast)
            for (payload, retention) in forever.enumerated().filter({ $0.offset % threads == index }).map(\.element) {
                client.downloadAtTheEnd(payload, retention)
            }
        }
        load.tally.add("payloads read back at the end", forever.count)
    }

    /// The disk has what was answered and is to stay, and nothing beside.
    private func expectOnly(_ forever: [(SoakPayload, Retention)]) throws {
        let digests = Set(forever.map { $0.0.digest } + load.ledger.codecDigests)
        let objects = stack.objects
        let names = Set(objects.map { "sha256:" + ($0.split(separator: "/").last ?? "") })
        for digest in digests.subtracting(names).prefix(3) { load.tally.violation("lost: \(digest)") }
        for digest in names.subtracting(digests).prefix(3) { load.tally.violation("nobody was answered: \(digest)") }
        let keys = stack.keys.count
        let expected = forever.count + load.ledger.codecDigests.count
        if keys != expected { load.tally.violation("\(keys) keys, expected \(expected)") }
        load.tally.add("contents at the end", objects.count)
        load.tally.add("bytes at the end", objects.reduce(0) { $0 + size("\(stack.store)/\($1)") })
        for folder in ["quarantine", "trash"] {
            let left = files(below: "\(stack.store)/\(folder)")
            if !left.isEmpty { load.tally.violation("in \(folder)/: \(left.prefix(3))") }
        }
    }

    private func size(_ path: String) -> Int {
        var status = stat()
        return lstat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    private func expectOrderlyEnd() throws {
        if try stack.request("HEAD", "/v2/health/head").status != 200 { load.tally.violation("health at the end") }
        for worker in stack.workers {
            let status = stack.stop(worker)
            if status != 0 { load.tally.violation("a worker ended with status \(status): \(worker.log)") }
        }
        for name in files(below: stack.folder.path) where name.hasPrefix("worker-") {
            for line in lines(of: name, with: "level=error") { load.tally.violation("a worker's log: \(line)") }
        }
        for level in ["alert", "crit", "emerg"] {
            for line in lines(of: "nginx-error.log", with: "[\(level)]") {
                load.tally.violation("nginx's log: \(line)")
            }
        }
        // What a worker had when it was killed.
        let again = lines(of: "nginx-error.log", with: "upstream prematurely closed connection")
        load.tally.add("requests whose worker was killed", again.count)
    }

    private func lines(of file: String, with text: String) -> [Substring] {
        let found = try? TestSupport.run("grep", ["-F", "--", text, stack.folder.file(file)])
        return found?.output.split(separator: "\n") ?? []
    }
}

extension String {
    /// nginx calls its files by numbers.
    fileprivate var isNginx: Bool { allSatisfy(\.isNumber) }
}
