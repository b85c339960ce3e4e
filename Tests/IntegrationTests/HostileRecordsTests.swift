import Foundation
import TestSupport
import Testing

/// Random input on the workers' socket that no web server sends. `make fuzz` sets the duration, `LPS_FUZZ_SECONDS`;
/// `LPS_FUZZ_SEED` repeats the conversations of an earlier run.
@Suite(.serialized, .runLimit) struct HostileRecordsTests {
    // Not random, so that a seed determines a run completely.
    private static let payload = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 * 31 >> 3) }
    private static let conversations = 50
    private static let clients = 4

    private static let seconds = number("LPS_FUZZ_SECONDS")
    private static let seed = number("LPS_FUZZ_SEED") ?? (seconds == nil ? 1 : UInt64.random(in: 0...UInt64.max >> 1))

    private static func number(_ variable: String) -> UInt64? {
        ProcessInfo.processInfo.environment[variable].flatMap { UInt64($0) }
    }

    @Test func `On any input a worker keeps serving, leaks nothing, and stores only verified content`() throws {
        let stack = try Stack(options: ["--threads", "4"])
        let worker = stack.workers[0]
        // Warm up: the first requests open files and map memory.
        for batch in 0..<2 { try converse(stack, batch: UInt64(batch)) }
        try expectAnswers(stack)
        var before = Held(worker, stack)
        try eventually("answered connections are closed") {
            usleep(100_000)
            let last = before
            before = Held(worker, stack)
            return before.descriptors == last.descriptors
        }

        let end = Date().addingTimeInterval(Double(Self.seconds ?? 0))
        var batch: UInt64 = 0
        repeat {
            let seed = Self.seed &+ batch
            try converse(stack, batch: seed)
            try #require(worker.isRunning, "LPS_FUZZ_SEED=\(seed): \(worker.log.suffix(2000))")
            try expectAnswers(stack)
            batch += 1
        } while Self.seconds == nil ? batch < 6 : Date() < end

        print("\(batch) × \(Self.clients * Self.conversations) conversations, from LPS_FUZZ_SEED=\(Self.seed)")
        try eventually("the worker holds what it held before: \(before), now \(Held(worker, stack))") {
            let now = Held(worker, stack)
            return now.descriptors == before.descriptors && now.threads == before.threads
        }
        let growth = Held(worker, stack).memory - before.memory
        #expect(growth < 64 << 10, "memory has grown by \(growth) KiB")
        try stack.expectNothingIncoming()
        let scrubbed = try stack.lps("scrub")
        #expect(scrubbed.status == 0, "\(scrubbed.output)")
    }

    /// Sends one batch. Its seeds depend only on the batch's number.
    private func converse(_ stack: Stack, batch: UInt64) throws {
        for _ in 0..<Self.conversations { _ = try FastCGIClient(stack.workerSocket) }
        try concurrently(Self.clients) { client in
            var records = HostileRecords(
                seed: batch &* UInt64(Self.clients) &+ UInt64(client),
                store: stack.store,
                payload: Self.payload
            )
            // At most half of the threads wait for input that never arrives.
            var staying: [FastCGIClient] = []
            for _ in 0..<Self.conversations {
                let conversation = records.next()
                guard stack.workers[0].isRunning else { return }
                let connection = try FastCGIClient(stack.workerSocket)
                conversation.pieces.forEach(connection.send)
                switch conversation.end {
                case .waits:
                    shutdown(connection.descriptor, Int32(SHUT_WR))
                    _ = connection.receiveAll()
                case .readsALittle:
                    var byte: UInt8 = 0
                    recv(connection.descriptor, &byte, 1, Int32(MSG_DONTWAIT))
                case .stays where client < 2:
                    staying = [connection]
                case .stays, .leaves:
                    break
                }
            }
            withExtendedLifetime(staying) {}
        }
    }

    private func expectAnswers(_ stack: Stack) throws {
        #expect(try stack.request("HEAD", "/v2/health/head").status == 200)
        #expect(try [200, 201].contains(stack.put(Self.payload).status))
    }
}

/// Resources that a worker process holds.
private struct Held {
    /// Open files, except the folders for commits, of which a worker caches some.
    let descriptors: [String]
    let threads: Int
    /// KiB.
    let memory: Int

    init(_ worker: ChildProcess, _ stack: Stack) {
        let folders = ["keys", "objects"].map { "\(stack.store)/\($0)" }
        descriptors = worker.openFiles.filter { path in !folders.contains { path == $0 || path.hasPrefix("\($0)/") } }
            .map { String($0.prefix { $0 != "[" }) }.sorted()
        threads = worker.status("Threads") ?? 0
        memory = worker.status("VmRSS") ?? 0
    }
}
