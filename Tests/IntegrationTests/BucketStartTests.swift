import Foundation
import TestSupport
import Testing

/// Worker processes start on a bucket. Refused starts are in `BucketCheckTests`.
@Suite(.serialized, .runLimit) struct BucketStartTests {
    private let engine: any S3Engine

    init() throws { engine = try TestEngine.shared }

    @Test func `A starting worker waits for an engine that is not up yet`() throws {
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
        try eventually("the worker serves: \(worker.log)") { worker.log.contains("msg=serving") }
    }

    @Test func `Workers that start together detect the same capabilities, and only one logs them`() throws {
        let stack = try Stack(workers: 4, engine: engine)
        let found = stack.workers.map { worker in
            worker.log.split(separator: "\n").filter { $0.contains("engine capabilities") }
        }
        let line = try #require(found.first?.first)
        #expect(found == Array(repeating: [line], count: 4))
        let all = "copy=yes delete=yes if_none_match=honoured verifies=x-amz-c"
        #expect(line.contains(all), "SeaweedFS compares x-amz-checksum-sha256, Ceph x-amz-content-sha256: \(line)")
        #expect(try stack.listing().isEmpty, "a probe's object is not a payload")
    }
}
