import Foundation
import TestSupport
import Testing

/// Uploads and downloads of large payloads, many at once, in bounded memory.
@Suite(.serialized, .runLimit) struct BucketTransferTests {
    private let engine: any S3Engine

    init() throws { engine = try TestEngine.shared }

    @Test func `A payload of 256 MiB is stored in a bucket and downloaded whole`() throws {
        let stack = try Stack(engine: engine)
        try stack.expectWhole(mebibytes: 256)
        try stack.expectNothingIncoming()
        let peak = try #require(stack.workers[0].status("VmHWM"))
        #expect(peak < 32 << 10, "peak resident memory of the worker in KiB")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A worker needs less than 40 MiB for 16 uploads of 8 MiB and 16 downloads`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2, engine: engine)
        let peak = try stack.peakOfTransfers(of: 8 << 20)
        // 8 MiB more than on disk: libcurl allocates an upload buffer of 512 KiB for each of 16 threads.
        #expect(peak < 40 << 10, "peak resident memory of a worker in KiB")
        try stack.expectNothingIncoming()
    }
}
