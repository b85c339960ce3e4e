import DiskStore
import Foundation
import PayloadKey
import TestSupport
import Testing

/// Quotas of a running service. `QuotaTests` and the simulation cover the counting.
@Suite(.serialized, .runLimit) struct QuotaServiceTests {
    private let folder: TemporaryFolder
    private let policy: String

    init() throws {
        folder = try TemporaryFolder()
        policy = folder.file("policy")
    }

    /// A service with a policy for the namespace `ns`.
    private func stack(_ rule: String, workers: Int = 1) throws -> Stack {
        try write("[ns]\n\(rule)\n".utf8, to: policy)
        return try Stack(workers: workers, options: ["--policy", policy])
    }

    private func epoch(_ stack: Stack) throws -> String {
        try String(contentsOfFile: "\(stack.store)/usage/epoch", encoding: .utf8)
    }

    private func used(_ stack: Stack) throws -> Int? {
        try stack.lpsJSON("quota", "--namespace", "ns")["used"] as? Int
    }

    @Test func `Workers killed repeatedly under load keep to the quota and count correctly`() throws {
        let quota: UInt64 = 1_000_000
        let stack = try stack("quota = \(quota)", workers: 3)
        // Outlives the workers, so that nothing is recounted: the final count is the one kept under load.
        let witness = try DiskStore(path: stack.store, reserve: 0, logger: RecordedLog().logger)
        let namespace = try Namespace(validating: "ns".utf8)
        _ = try stack.store([1], namespace: "ns")
        #expect(try witness.usage(of: namespace) == 1)
        let (done, refused) = (Counter(), Counter())
        try concurrently(7) { index in
            if index == 6 {
                defer { done.add() }
                for _ in 0..<12 {
                    usleep(UInt32.random(in: 5_000...40_000))
                    stack.stop(stack.workers[0], SIGKILL)
                    try stack.startWorkers(1)
                }
                return try eventually("the quota is used up") { refused.value > 20 }
            }
            while done.value == 0 {
                do {
                    let answer = try stack.put(randomPayload(Int.random(in: 100...20_000)), namespace: "ns")
                    if answer.status == 507 { refused.add() }
                    // 200: the first worker stored the upload before it died, and nginx retried with the next.
                    #expect([200, 201, 503, 507].contains(answer.status), "\(answer.status) \(answer.text)")
                } catch is HTTPConnection.Broken {
                    continue
                }
            }
        }
        let walked = try witness.recount(namespace)
        #expect(walked.before == walked.now, "the count equals a walk of the store")
        #expect(walked.now <= quota && walked.now > quota - 20_000, "\(walked)")
    }

    @Test func `A reloaded policy applies at once, and an invalid one changes nothing`() throws {
        let stack = try stack("retention = 45d")
        let worker = stack.workers[0]
        // A worker with this file open keeps counts.
        func epochs() -> Int { worker.openFiles.filter { $0 == "\(stack.store)/usage/epoch" }.count }
        #expect(epochs() == 0)
        for (quota, log, kept) in [
            ("1000", "configuration reloaded", 1_000), ("lots", "reload failed, configuration unchanged", 1_000),
            ("2000", "configuration reloaded", 2_000),
        ] {
            let before = worker.log.components(separatedBy: log).count
            try write("[ns]\nquota = \(quota)\n".utf8, to: policy)
            worker.signal(SIGHUP)
            try eventually("the worker logs \(log)") { worker.log.components(separatedBy: log).count > before }
            try eventually("the worker keeps counts") { epochs() == 1 }
            #expect(try stack.put(randomPayload(kept + 1), namespace: "ns").status == 507)
        }
        #expect(try stack.put(randomPayload(2_000), namespace: "ns").status == 201)
    }

    @Test func `Counts are kept while any worker runs, even one without quotas`() throws {
        let stack = try stack("quota = 100000")
        let key = try stack.store(randomPayload(1_000), namespace: "ns")
        // A key that only a recount finds.
        let file = try stack.file(of: key)
        #expect(link(file, file.dropLast(64) + String(repeating: "0", count: 64)) == 0)
        let epoch = try epoch(stack)
        // Each worker runs while the other restarts, and no request makes it count.
        try stack.startWorkers(1)
        for signal in [SIGTERM, SIGUSR2] {
            #expect(stack.stop(stack.workers[0], signal) == 0)
            try stack.startWorkers(1)
        }
        let other = try LoneWorker(folder, ["--store", stack.store])
        for worker in stack.workers { #expect(stack.stop(worker) == 0) }
        try stack.startWorkers(1)
        #expect(try stack.put(randomPayload(500), namespace: "ns").status == 201)
        #expect(try self.epoch(stack) == epoch)
        #expect(try used(stack) == 1_500)

        other.stop()
        #expect(stack.stop(stack.workers[0]) == 0)
        try stack.startWorkers(1)
        #expect(try stack.put(randomPayload(500), namespace: "ns").status == 201)
        #expect(try self.epoch(stack) != epoch)
        #expect(try used(stack) == 3_000)
    }
}
