import Foundation
import PayloadKey
import TestSupport
import Testing

/// What namespaces use is known as long as one worker is there.
@Suite(.serialized, .runLimit) struct QuotaRestartTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func stack(_ options: String...) throws -> Stack {
        let policy = folder.file("policy")
        try write("[ns]\nquota = 100000\n".utf8, to: policy)
        return try Stack(options: ["--policy", policy] + options)
    }

    /// Counts `ns`, as 1000 bytes, and then puts a key into it by hand that only a count anew could find.
    ///
    /// - Returns: the epoch of the count.
    private func count(_ stack: Stack) throws -> String {
        let key = try stack.store(randomPayload(1_000), namespace: "ns")
        let file = try stack.file(of: key)
        let other = "\(String(repeating: "0", count: 64))"
        #expect(link(file, file.dropLast(other.count) + other) == 0)
        #expect(try used(stack) == 1_000)
        return try epoch(stack)
    }

    private func epoch(_ stack: Stack) throws -> String {
        try String(contentsOfFile: "\(stack.store)/usage/epoch", encoding: .utf8)
    }

    private func used(_ stack: Stack) throws -> Int? {
        try stack.lpsJSON("quota", "--namespace", "ns")["used"] as? Int
    }

    /// How often a process has the epoch open.
    private func holds(_ worker: ChildProcess, _ path: String) throws -> Int {
        let descriptors = "/proc/\(worker.pid)/fd"
        return try FileManager.default.contentsOfDirectory(atPath: descriptors).filter { descriptor in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(descriptors)/\(descriptor)")) == path
        }.count
    }

    @Test(arguments: [SIGTERM, SIGUSR2])
    func `Workers that are restarted one after the other count nothing anew`(signal: Int32) throws {
        let stack = try stack()
        let epoch = try count(stack)
        // Each is there while the other is away, and no request comes that would have it count.
        try stack.startWorkers(1)
        for _ in 0..<3 {
            #expect(stack.stop(stack.workers[0], signal) == 0)
            try stack.startWorkers(1)
        }
        #expect(try stack.put(randomPayload(500), namespace: "ns").status == 201)
        #expect(try self.epoch(stack) == epoch)
        #expect(try used(stack) == 1_500)
    }

    @Test func `A worker that is told of its first quota by a reload keeps counts from then on`() throws {
        let policy = folder.file("policy")
        try write("[ns]\nretention = 45d\n".utf8, to: policy)
        let stack = try Stack(options: ["--policy", policy])
        let worker = stack.workers[0]
        let epoch = "\(stack.store)/usage/epoch"
        #expect(try holds(worker, epoch) == 0)
        try write("[ns]\nquota = 10000\n".utf8, to: policy)
        worker.signal(SIGHUP)
        try eventually("it keeps them: \(worker.log)") { try holds(worker, epoch) == 1 }
    }

    @Test func `After all workers were away the count is made anew`() throws {
        let stack = try stack()
        let epoch = try count(stack)
        #expect(stack.stop(stack.workers[0]) == 0)
        try stack.startWorkers(1)
        #expect(try stack.put(randomPayload(500), namespace: "ns").status == 201)
        #expect(try self.epoch(stack) != epoch)
        #expect(try used(stack) == 2_500)
    }

    @Test func `A worker without quotas keeps the counts of others while it is there`() throws {
        let stack = try stack()
        let epoch = try count(stack)
        let other = try LoneWorker(folder, ["--store", stack.store])
        #expect(stack.stop(stack.workers[0]) == 0)
        try stack.startWorkers(1)
        #expect(try self.epoch(stack) == epoch)
        #expect(try used(stack) == 1_000)
        other.stop()
    }
}
