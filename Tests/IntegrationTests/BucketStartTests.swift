import Foundation
import TestSupport
import Testing

/// How workers start on a bucket, as processes. What a start refuses is in `BucketCheckTests`.
@Suite(.serialized, .runLimit) struct BucketStartTests {
    private let engine: any S3Engine

    init() throws { engine = try TestEngine.shared }

    @Test func `A start waits for an engine that comes a moment later`() throws {
        let front = try BucketFront(engine)
        front.kill()
        let folder = try TemporaryFolder()
        let worker = try ChildProcess(
            Project.binary("lps-worker"),
            ["--listen", folder.file("sock"), "--store", front.storeURL("payloads"), "--incoming", folder.path],
            environment: engine.environment,
            log: folder.file("log")
        )
        // Longer than a worker takes to start.
        usleep(500_000)
        #expect(worker.isRunning, "\(worker.log)")
        try front.restart()
        try eventually("it serves: \(worker.log)") { worker.log.contains("msg=serving") }
    }

    @Test func `Workers that start at once find the same of their engine, and one says it in one line`() throws {
        let stack = try Stack(workers: 4, engine: engine)
        let found = stack.workers.map { worker in
            worker.log.split(separator: "\n").filter { $0.contains("engine capabilities") }
        }
        let line = try #require(found.first?.first)
        #expect(found == Array(repeating: [line], count: 4))
        let all = "copy=yes delete=yes if_none_match=honoured verifies=x-amz-c"
        #expect(line.contains(all), "SeaweedFS compares x-amz-checksum-sha256, Ceph x-amz-content-sha256: \(line)")
        #expect(try stack.listing().isEmpty, "a probe's object is no payload")
    }
}
