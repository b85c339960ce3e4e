import Foundation
import TestSupport
import Testing

/// Payloads go in and out whole, in every size, many at once, and in bounded memory.
@Suite(.serialized) struct TransferTests {
    private static let mebibyte = 1 << 20

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
        let file = stack.folder.file("large")
        let limit = 1 << 30
        let piece = randomPayload(Self.mebibyte)
        try write([], to: file)
        let output = try #require(FileHandle(forWritingAtPath: file))
        for _ in 0..<(limit / piece.count) { try output.write(contentsOf: Data(piece)) }
        try output.close()
        let sum = try run("sha256sum", [file]).output.prefix(64)
        let target = "http://localhost" + Stack.putTarget(namespace: "ns", digest: "sha256:\(sum)")
        let curl = ["-sS", "--unix-socket", stack.httpSocket, "-H", "Content-Type: application/octet-stream"]
        let put = try run("curl", curl + ["-H", "X-Temporal-Metadata: e30=", "-w", "%{http_code}", "-T", file, target])
        #expect(put.output.hasSuffix("201"))
        let key = try Stack.key(Array(put.output.dropLast(3).utf8))
        let fetched = stack.folder.file("fetched")
        let length = "X-Payload-Expected-Content-Length: \(limit)"
        let get = try run("curl", curl + ["-H", length, "-o", fetched, "http://localhost" + Stack.getTarget(key)])
        #expect(get.output.isEmpty)
        #expect(try run("cmp", [file, fetched]).status == 0)

        let connection = try HTTPConnection(stack.httpSocket)
        try connection.send("PUT", Stack.putTarget(namespace: "ns", digest: "x"), Stack.putHeaders(), length: limit + 1)
        let refused = try connection.receive()
        #expect(refused.status == 413)
        #expect(refused.text == "payload exceeds max size of \(limit) bytes")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `No worker's memory passes 32 MiB while 16 uploads of 64 MiB and 16 downloads run`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2)
        let size = 64 * Self.mebibyte
        let payload = randomPayload(size)
        let stored = try Stack.key(stack.put(payload))
        let files = try (0..<16).map { index in
            let path = stack.folder.file("upload-\(index)")
            try write(payload.dropLast() + [UInt8(index)], to: path)
            return path
        }
        let digests = try run("sha256sum", files).output.split(separator: "\n").map { "sha256:" + $0.prefix(64) }
        let peak = Peak(stack.workers)
        try concurrently(32) { index in
            let curl = [
                "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", "--unix-socket", stack.httpSocket,
                "-H", "Content-Type: application/octet-stream",
            ]
            if index < 16 {
                let target = Stack.putTarget(namespace: "ns", digest: digests[index])
                let put = try run(
                    "curl",
                    curl + ["-H", "X-Temporal-Metadata: e30=", "-T", files[index], "http://localhost" + target]
                )
                #expect(put.output.hasPrefix("201 "))
            } else {
                let get = try run(
                    "curl",
                    curl + [
                        "-H", "X-Payload-Expected-Content-Length: \(size)",
                        "http://localhost" + Stack.getTarget(stored),
                    ]
                )
                #expect(get.output == "200 \(size)")
            }
            peak.look()
        }
        peak.look()
        #expect(peak.kibibytes > 0)
        #expect(peak.kibibytes < 32 << 10, "peak resident memory of a worker in KiB")
    }

    /// The largest resident memory that any of the workers ever had (VmHWM of proc(5)).
    final class Peak: @unchecked Sendable {
        // Guarded by the lock.
        private var largest = 0
        private let lock = NSLock()
        private let workers: [ChildProcess]

        init(_ workers: [ChildProcess]) { self.workers = workers }

        func look() {
            let now = workers.compactMap { $0.status("VmHWM") }.max() ?? 0
            lock.withLock { largest = max(largest, now) }
        }

        var kibibytes: Int { lock.withLock { largest } }
    }
}
