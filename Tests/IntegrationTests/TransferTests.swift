import Foundation
import TestSupport
import Testing

/// Payloads of every size, many at once, are stored and served whole in bounded memory.
@Suite(.serialized, .runLimit) struct TransferTests {
    @Test(arguments: Stack.Mode.allCases)
    func `Sixteen concurrent payloads are stored and served whole`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2)
        for size in [0, 1, 128 << 10, 5_000_000] {
            try concurrently(16) { index in
                // The last byte distinguishes the payloads, even if it is the only one.
                let payload = size == 0 ? [] : randomPayload(size - 1) + [UInt8(index)]
                let isWhole = try Data(stack.get(stack.store(payload), length: size).body) == Data(payload)
                #expect(isWhole, "\(size) bytes")
            }
        }
        try stack.expectNothingIncoming()
    }

    @Test func `A payload of 1 GiB is stored and served whole`() throws {
        try Stack().expectWhole(mebibytes: 1024)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `No worker exceeds 32 MiB of memory during 16 uploads of 16 MiB and 16 downloads`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2)
        let peak = try stack.peakOfTransfers(of: 16 << 20)
        #expect(peak < 32 << 10, "peak resident memory of a worker in KiB")
    }
}
