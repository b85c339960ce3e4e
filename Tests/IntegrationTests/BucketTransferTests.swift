import Foundation
import TestSupport
import Testing

/// Large payloads go in and out of a bucket whole, many at once, and in bounded memory.
@Suite(.serialized) struct BucketTransferTests {
    private static let mebibyte = 1 << 20

    /// Ends with what it holds.
    private let engine: SeaweedFS

    init() throws {
        engine = try SeaweedFS()
    }

    private func curl(_ stack: Stack, _ arguments: String...) throws -> String {
        let common = ["-sS", "--unix-socket", stack.httpSocket, "-H", "Content-Type: application/octet-stream"]
        return try run("curl", common + arguments).output
    }

    @Test func `A payload of 1 GiB goes in and out of a bucket whole`() throws {
        let stack = try Stack(engine: engine)
        let file = stack.folder.file("large")
        let size = 1 << 30
        let piece = Data(randomPayload(Self.mebibyte))
        try write([], to: file)
        let output = try #require(FileHandle(forWritingAtPath: file))
        for _ in 0..<(size / piece.count) { try output.write(contentsOf: piece) }
        try output.close()
        let sum = try run("sha256sum", [file]).output.prefix(64)
        let target = "http://localhost" + Stack.putTarget(namespace: "ns", digest: "sha256:\(sum)")
        let put = try curl(stack, "-H", "X-Temporal-Metadata: e30=", "-w", "%{http_code}", "-T", file, target)
        #expect(put.hasSuffix("201"), "\(put)")
        let key = try Stack.key(Array(put.dropLast(3).utf8))
        let fetched = stack.folder.file("fetched")
        let length = "X-Payload-Expected-Content-Length: \(size)"
        let get = try curl(stack, "-H", length, "-o", fetched, "http://localhost" + Stack.getTarget(key))
        #expect(get.isEmpty, "\(get)")
        #expect(try run("cmp", [file, fetched]).status == 0)
        try stack.expectNothingIncoming()
        let peak = try #require(stack.workers[0].status("VmHWM"))
        #expect(peak < 32 << 10, "peak resident memory of the worker in KiB")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `No worker's memory passes 40 MiB while 16 uploads of 16 MiB and 16 downloads run`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2, engine: engine)
        let size = 16 * Self.mebibyte
        let payload = randomPayload(size)
        let stored = try Stack.key(stack.put(payload))
        let files = try (0..<16).map { index in
            let path = stack.folder.file("upload-\(index)")
            try write(payload.dropLast() + [UInt8(index)], to: path)
            return path
        }
        let digests = try run("sha256sum", files).output.split(separator: "\n").map { "sha256:" + $0.prefix(64) }
        let peak = TransferTests.Peak(stack.workers)
        try concurrently(32) { index in
            let told = ["-o", "/dev/null", "-w", "%{http_code} %{size_download}"]
            if index < 16 {
                let put = try run(
                    "curl",
                    told + [
                        "-sS", "--unix-socket", stack.httpSocket, "-H", "Content-Type: application/octet-stream",
                        "-H", "X-Temporal-Metadata: e30=", "-T", files[index],
                        "http://localhost" + Stack.putTarget(namespace: "ns", digest: digests[index]),
                    ]
                )
                #expect(put.output.hasPrefix("201 "), "\(put.output)")
            } else {
                let get = try run(
                    "curl",
                    told + [
                        "-sS", "--unix-socket", stack.httpSocket, "-H", "Content-Type: application/octet-stream",
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
        // 8 MiB more than on disk: each of 16 threads has an upload buffer of libcurl of 512 KiB.
        #expect(peak.kibibytes < 40 << 10, "peak resident memory of a worker in KiB")
        try stack.expectNothingIncoming()
    }
}
