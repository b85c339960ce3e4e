import Foundation
import TestSupport
import Testing

/// Payloads go in and out whole, in every size, many at once, and in bounded memory.
@Suite(.serialized) struct TransferTests {
    private func roundTrip(_ stack: Stack, _ payload: [UInt8]) throws {
        let answer = try stack.put(payload)
        #expect(answer.status == 201)
        let fetched = try stack.get(Stack.key(answer), length: payload.count)
        #expect(fetched.status == 200)
        // Not in the expectation itself, which would print both.
        let isWhole = fetched.body == payload
        #expect(isWhole)
    }

    @Test(arguments: Stack.Mode.allCases, [0, 1, 128 << 10, 5_000_000])
    func `A payload goes in and out whole, one at a time and 16 at once`(mode: Stack.Mode, size: Int) throws {
        let stack = try Stack(mode, workers: 2)
        if size > 0 {
            // The last byte tells them apart, also where it is the only one.
            try roundTrip(stack, randomPayload(size - 1) + [255])
            let payloads = (0..<16).map { index in randomPayload(size - 1) + [UInt8(index)] }
            try concurrently(16) { try roundTrip(stack, payloads[$0]) }
        } else {
            try roundTrip(stack, [])
            let key = try Stack.key(stack.put([]))
            try concurrently(16) { _ in
                let status = try stack.put([]).status
                let body = try stack.get(key, length: 0).body
                #expect(status == 200)
                #expect(body.isEmpty)
            }
        }
        try stack.expectNothingIncoming()
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A payload of 1 GiB goes in and out whole, and one byte more is refused before it is read`(mode: Stack.Mode)
        throws
    {
        let stack = try Stack(mode)
        let limit = 1 << 30
        try stack.expectWhole(mebibytes: 1024)

        let connection = try HTTPConnection(stack.httpSocket)
        try connection.send("PUT", Stack.putTarget(namespace: "ns", digest: "x"), Stack.putHeaders(), length: limit + 1)
        let refused = try connection.receive()
        #expect(refused.status == 413)
        #expect(refused.text == "payload exceeds max size of \(limit) bytes")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `No worker's memory passes 32 MiB while 16 uploads of 64 MiB and 16 downloads run`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2)
        let peak = try stack.peakOfTransfers(of: 64 << 20)
        #expect(peak < 32 << 10, "peak resident memory of a worker in KiB")
    }
}
