import Foundation
import TestSupport
import Testing

/// Bugs of libfcgi that a worker can't prevent (docs/security.md). Sanitizers end a process in other ways.
@Suite(.runLimit) struct LibfcgiHoleTests {
    private static let holes: [[UInt8]] = [
        // libfcgi's answer has room for three values.
        FastCGIClient.getValues([String](repeating: "FCGI_MPXS_CONNS", count: 100)),
        // Each length fits into an int, their sum does not.
        FastCGIClient.record(.beginRequest, [0, 1, 0, 0, 0, 0, 0, 0])
            + FastCGIClient.record(.params, [0xC0, 0, 0, 0, 0xC0, 0, 0, 0]),
    ]

    @Test(arguments: holes)
    func `A bug of libfcgi ends at most one worker, and the pool keeps serving`(records: [UInt8]) throws {
        #expect(meetsHoleOfLibfcgi(records))
        let stack = try Stack(workers: 2)
        let client = try FastCGIClient(stack.workerSocket)
        client.send(records + FastCGIClient.head(["REQUEST_METHOD": "HEAD"]))
        shutdown(client.descriptor, Int32(SHUT_WR))
        let isAnswered = client.receiveAnswer().hasPrefix("Status: ")
        try eventually("the worker ends or keeps serving") {
            isAnswered || stack.workers.contains { !$0.isRunning }
                || stack.workerLog.contains("without a FastCGI request")
        }
        // Until libfcgi is fixed, an assertion and its stack protector end the process.
        for worker in stack.workers where !worker.isRunning {
            #expect(stack.stop(worker) == -SIGABRT)
        }
        #expect(!stack.workers.isEmpty)
        for _ in 0..<10 { #expect(try stack.put(randomPayload(20_000)).status == 201) }
        try stack.expectNothingIncoming()
    }
}
