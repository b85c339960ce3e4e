import Foundation
import TestSupport
import Testing

/// Large payloads go in and out of a bucket whole, many at once, and in bounded memory.
@Suite(.serialized, .runLimit) struct BucketTransferTests {
    private let engine: any S3Engine

    init() throws { engine = try TestEngine.shared }

    @Test func `A payload of 256 MiB goes in and out of a bucket whole`() throws {
        let stack = try Stack(engine: engine)
        try stack.expectWhole(mebibytes: 256)
        try stack.expectNothingIncoming()
        let peak = try #require(stack.workers[0].status("VmHWM"))
        #expect(peak < 32 << 10, "peak resident memory of the worker in KiB")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `No worker's memory passes 40 MiB while 16 uploads of 8 MiB and 16 downloads run`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2, engine: engine)
        let peak = try stack.peakOfTransfers(of: 8 << 20)
        // 8 MiB more than on disk: each of 16 threads has an upload buffer of libcurl of 512 KiB.
        #expect(peak < 40 << 10, "peak resident memory of a worker in KiB")
        try stack.expectNothingIncoming()
    }
}
